//! An HTTP/2 request and its response.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::{RecvStream, SendStream, server::SendResponse};
use http::{Request, Response};
use hyper::body::{Body, Frame};

use super::{
    Endpoint,
    http::{ResponseBody, answer},
    poll_budget::PollCost,
};

/// A request in progress; done when the whole response has been handed to h2.
pub(super) struct Stream {
    body: ResponseBody<RequestBody>,
    sending: SendStream<Bytes>,
}

impl Stream {
    /// Sends the head of the response; `None` if the client no longer waits for it.
    pub(super) fn open(
        endpoint: &Endpoint,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) -> Option<Self> {
        let (head, body) = answer(endpoint, request.map(RequestBody)).into_parts();
        let sending = respond.send_response(Response::from_parts(head, ()), false).ok()?;
        Some(Self { body, sending })
    }

    /// Whether the handler has proved to be quick. A response without a handler is.
    pub(super) fn is_quick(&self) -> bool {
        self.body.cost().is_none_or(PollCost::is_quick)
    }

    /// Makes as much progress as possible; also returns the time that it took.
    pub(super) fn turn(&mut self, cx: &mut Context<'_>) -> (Poll<()>, Duration) {
        let begun = Instant::now();
        let polled = self.proceed(cx);
        let time = begun.elapsed();
        if let Some(cost) = self.body.cost() {
            cost.note(time);
        }
        (polled, time)
    }

    fn proceed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let bytes = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
                Poll::Ready(None) => Bytes::new(),
                // The handler ends when its stream is reset.
                Poll::Pending => return self.sending.poll_reset(cx).map(drop),
            };
            let is_over = self.body.is_end_stream();
            // h2 buffers what exceeds the flow-control window. It would have to be buffered here
            // otherwise.
            if self.sending.send_data(bytes, is_over).is_err() || is_over {
                return Poll::Ready(());
            }
        }
    }
}

/// The body of a request.
pub(super) struct RequestBody(RecvStream);

impl Body for RequestBody {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        self.0.poll_data(cx).map_ok(|bytes| {
            // Makes the window available again, which fails harmlessly if the stream has ended.
            let _ = self.0.flow_control().release_capacity(bytes.len());
            Frame::data(bytes)
        })
    }
}
