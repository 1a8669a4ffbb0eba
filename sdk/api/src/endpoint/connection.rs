//! An HTTP/2 connection, and the attempts on it.
//!
//! This is the hot path, so it uses h2 directly instead of a server on top of it. A connection is
//! one task, which also polls its attempts: everything that has arrived is processed before
//! anything is written, so that many responses share one write, and no other task has to be woken
//! in between. Handlers that take longer get tasks of their own (see [`super::poll_budget`]).

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt};
use h2::{
    RecvStream,
    server::{self, SendResponse},
};
use http::Request;
use tokio::net::TcpStream;

use super::{Endpoint, poll_budget::PollBudget, stream::Stream};
use crate::wake_up::WakeUp;

/// Large enough that a stream with a long journal does not stall on flow control.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// The same, for all streams of a connection together.
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// Maximum total length of the names and values of a request's headers.
const HEADERS_BYTES_MAX: u32 = 16 << 10;
/// An attempt ends with its response, which may cross frames that the runtime is still sending. For
/// this long, such late frames are not treated as errors, of which a connection survives a
/// thousand.
const LATE: Duration = Duration::from_millis(200);
/// Number of streams to which that applies: more than a connection ends in that time.
const LATE_STREAMS_MAX: usize = 16 << 10;
/// Number of times a connection is read and written before it yields to other tasks: once for what
/// has arrived, once for the responses, and a little more for clients that quickly send more.
const ROUNDS_MAX: u32 = 4;

/// A connection; completes when it has ended.
pub(super) struct Connection {
    h2: server::Connection<TcpStream, Bytes>,
    endpoint: Arc<Endpoint>,
    accepted: Vec<(Request<RecvStream>, SendResponse<Bytes>)>,
    /// Inline streams that wait for something.
    under_way: FuturesUnordered<InlineStream>,
    budget: Arc<PollBudget>,
    /// Woken by responses, including those that are produced while the connection is being polled.
    wake_up: Arc<WakeUp>,
}

impl Connection {
    /// Performs the handshake of a new connection.
    pub(super) async fn open(
        stream: TcpStream,
        endpoint: Arc<Endpoint>,
    ) -> Result<Self, h2::Error> {
        // The number of streams needs no limit here: the runtime limits concurrent attempts.
        let h2 = server::Builder::new()
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(HEADERS_BYTES_MAX)
            .reset_stream_duration(LATE)
            .max_concurrent_reset_streams(LATE_STREAMS_MAX)
            .handshake(stream)
            .await?;
        Ok(Self {
            h2,
            endpoint,
            accepted: Vec::new(),
            under_way: FuturesUnordered::new(),
            budget: Arc::default(),
            wake_up: Arc::default(),
        })
    }

    /// Sends GOAWAY; the connection ends once the requests in progress have been answered.
    pub(super) fn end(&mut self) {
        self.h2.graceful_shutdown();
    }

    /// Reads and writes as much as possible; ready when the connection has ended.
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

    /// Starts the requests that have arrived, and polls the inline streams that were woken.
    fn proceed(&mut self, cx: &mut Context<'_>) {
        for (request, respond) in self.accepted.drain(..) {
            let Some(stream) = Stream::open(&self.endpoint, request, respond) else { continue };
            let mut inline =
                InlineStream { stream: Some(stream), budget: Arc::clone(&self.budget) };
            // Most complete at once. The others are polled again below, with the waker that they
            // need.
            let mut for_once = Context::from_waker(Waker::noop());
            if Pin::new(&mut inline).poll(&mut for_once).is_pending() {
                self.under_way.push(inline);
            }
        }
        while let Poll::Ready(Some(())) = self.under_way.poll_next_unpin(cx) {}
    }
}

impl Future for Connection {
    type Output = Result<(), h2::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.budget.renew();
        let wake_up = Arc::clone(&self.wake_up);
        wake_up.begin(cx.waker());
        wake_up.want();
        let waker = Waker::from(Arc::clone(&wake_up));
        let mut within = Context::from_waker(&waker);
        for _ in 0..ROUNDS_MAX {
            if !wake_up.take() {
                break;
            }
            let polled = self.accept(&mut within);
            if polled.is_ready() {
                return polled;
            }
            self.proceed(&mut within);
        }
        if wake_up.rest() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// An inline stream: a request polled inside its connection's task while its handler is quick and
/// the poll budget lasts.
struct InlineStream {
    stream: Option<Stream>,
    budget: Arc<PollBudget>,
}

impl InlineStream {
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(mut stream) = self.stream.take() else { return Poll::Ready(()) };
        if !stream.is_quick() || !self.budget.is_left() {
            tokio::spawn(std::future::poll_fn(move |cx| stream.turn(cx).0));
            return Poll::Ready(());
        }
        let (polled, time) = stream.turn(cx);
        self.budget.spend(time);
        if polled.is_pending() {
            self.stream = Some(stream);
        }
        polled
    }
}

impl Future for InlineStream {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let inline = self.get_mut();
        // A handler's panic becomes its response, but user code may also panic when it is dropped,
        // and must not take the other streams down.
        catch_unwind(AssertUnwindSafe(|| inline.turn(cx))).unwrap_or(Poll::Ready(()))
    }
}
