//! A connection in HTTP/2, and the attempts that come in on it.
//!
//! This is the hot path, so it is h2 itself and not a server on top of it. Requests that have come in
//! together are all begun before anything is written: a handler that is done at once needs no task of
//! its own, and the answers of many are one write.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::{
    RecvStream, SendStream,
    server::{self, SendResponse},
};
use http::{Request, Response};
use hyper::body::{Body, Frame};
use tokio::net::TcpStream;

use super::{
    Endpoint,
    http::{ResponseBody, answer},
};
use crate::wake_up::WakeUp;

/// Large enough that a stream with a long journal does not wait for its window.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// The same for all streams of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// Names and values of a request's headers are shorter than this together.
const HEADERS_BYTES_MAX: u32 = 16 << 10;
/// How long the beginning of a handler may take in the mean, for it to be tried on the connection's own
/// task. While one computes there, nothing else happens on the connection; a task costs some
/// microseconds, and other threads can take it.
const BEGINNING_MAX: Duration = Duration::from_micros(100);

/// A connection; done when it has ended.
pub(super) struct Connection {
    h2: server::Connection<TcpStream, Bytes>,
    endpoint: Arc<Endpoint>,
    accepted: Vec<(Request<RecvStream>, SendResponse<Bytes>)>,
    /// How much longer beginnings have taken than they may.
    excess: Duration,
    /// Answers wake the connection, also those that are given while it is polled.
    wake_up: Arc<WakeUp>,
}

impl Connection {
    /// Begins a connection.
    pub(super) async fn open(
        stream: TcpStream,
        endpoint: Arc<Endpoint>,
    ) -> Result<Self, h2::Error> {
        // The runtime limits how many attempts there are at once.
        let h2 = server::Builder::new()
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(HEADERS_BYTES_MAX)
            .handshake(stream)
            .await?;
        let (accepted, excess, wake_up) = (Vec::new(), Duration::ZERO, Arc::default());
        Ok(Self { h2, endpoint, accepted, excess, wake_up })
    }

    /// Takes no more requests, and ends when those under way have been answered.
    pub(super) fn end(&mut self) {
        self.h2.graceful_shutdown();
    }

    /// Reads and writes all there is; ready when the connection has ended.
    fn accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        loop {
            match self.h2.poll_accept(cx) {
                Poll::Ready(Some(Ok(request))) => self.accepted.push(request),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Begins what has come in.
    fn begin(&mut self) {
        for (request, respond) in self.accepted.drain(..) {
            let Some(mut stream) = Stream::open(&self.endpoint, request, respond) else { continue };
            if !self.excess.is_zero() {
                self.excess = self.excess.saturating_sub(BEGINNING_MAX);
                tokio::spawn(stream);
                continue;
            }
            let begun = Instant::now();
            // Its own task wakes it if it goes on.
            let polled = Pin::new(&mut stream).poll(&mut Context::from_waker(Waker::noop()));
            self.excess = begun.elapsed().saturating_sub(BEGINNING_MAX);
            if polled.is_pending() {
                tokio::spawn(stream);
            }
        }
    }
}

impl Future for Connection {
    type Output = Result<(), h2::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let wake_up = Arc::clone(&self.wake_up);
        wake_up.begin(cx.waker());
        let waker = Waker::from(Arc::clone(&wake_up));
        let mut within = Context::from_waker(&waker);
        loop {
            wake_up.take();
            let polled = self.accept(&mut within);
            if polled.is_ready() {
                return polled;
            }
            if self.accepted.is_empty() {
                break;
            }
            self.begin();
        }
        if wake_up.rest() {
            // Not in the loop: whatever else is ready goes first, and may have something to write.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// A request under way; done when all of its response was handed over.
struct Stream {
    body: ResponseBody<RequestBody>,
    sending: SendStream<Bytes>,
}

impl Stream {
    /// Answers a request as far as its head; `None` when nobody waits for the answer any more.
    fn open(
        endpoint: &Endpoint,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) -> Option<Self> {
        let (head, body) = answer(endpoint, request.map(RequestBody)).into_parts();
        let sending = respond.send_response(Response::from_parts(head, ()), false).ok()?;
        Some(Self { body, sending })
    }
}

impl Future for Stream {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
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
