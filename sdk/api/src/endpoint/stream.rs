//! A request in HTTP/2 and its response.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::{RecvStream, SendStream, server::SendResponse};
use http::{Request, Response};
use hyper::body::{Body, Frame};

use super::{
    Endpoint,
    allowance::Pace,
    http::{ResponseBody, answer},
};

/// A request under way; done when all of its response was handed over.
pub(super) struct Stream {
    body: ResponseBody<RequestBody>,
    sending: SendStream<Bytes>,
}

impl Stream {
    /// Answers a request as far as its head; `None` when nobody waits for the answer any more.
    pub(super) fn open(
        endpoint: &Endpoint,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) -> Option<Self> {
        let (head, body) = answer(endpoint, request.map(RequestBody)).into_parts();
        let sending = respond.send_response(Response::from_parts(head, ()), false).ok()?;
        Some(Self { body, sending })
    }

    /// Whether its handler has shown to be quick.
    pub(super) fn is_quick(&self) -> bool {
        self.body.pace().is_none_or(Pace::is_quick)
    }

    /// Goes as far as it can; how long that took.
    pub(super) fn turn(&mut self, cx: &mut Context<'_>) -> (Poll<()>, Duration) {
        let begun = Instant::now();
        let polled = self.proceed(cx);
        let time = begun.elapsed();
        if let Some(pace) = self.body.pace() {
            pace.note(time);
        }
        (polled, time)
    }

    fn proceed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let bytes = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
                Poll::Ready(None) => Bytes::new(),
                // A handler ends with its stream.
                Poll::Pending => return self.sending.poll_reset(cx).map(drop),
            };
            let is_over = self.body.is_end_stream();
            // What the window has no room for waits in the stream, as it would have here.
            if self.sending.send_data(bytes, is_over).is_err() || is_over {
                return Poll::Ready(());
            }
        }
    }
}

/// What a request has to say.
pub(super) struct RequestBody(RecvStream);

impl Body for RequestBody {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        self.0.poll_data(cx).map_ok(|bytes| {
            // There is room for more in its window; a stream that has ended needs none.
            let _ = self.0.flow_control().release_capacity(bytes.len());
            Frame::data(bytes)
        })
    }
}
