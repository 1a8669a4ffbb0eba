//! Bodies whose progress is observed. Request bodies have to arrive at a minimum rate. Responses
//! are written in chunks, so that a reader that takes none of them is noticed.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::{
    connections::Connection,
    limits::{Limits, PIECE_BYTES, Pressure},
};

/// Error of the underlying transport.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a request body can't be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It arrives too slowly.
    #[error(
        "the body arrives too slowly: {bytes} bytes in {} s, and the rest is still missing", after.as_secs()
    )]
    Slow {
        /// How many bytes arrived.
        bytes: u64,
        /// How long that took.
        after: Duration,
    },
    /// It is larger than the limit.
    #[error("the body is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit_bytes: usize,
    },
    /// The memory budget has no capacity for it at the moment.
    #[error("the server is busy and has no memory for the body; try again in a moment")]
    NoMemory,
    /// The transport failed before the end of the body.
    #[error("the body cannot be read: {0}")]
    Broken(String),
}

/// Reserves memory for a body that is being read.
pub trait Memory: Send {
    /// Ensures that memory for at least `bytes` bytes in total is reserved, and returns for how
    /// many it now is. `most` is the largest size that the body can still reach. Called when the
    /// first bytes have arrived, and again when more arrive than are reserved.
    ///
    /// # Errors
    /// Returns an error if there is no memory and the implementation does not wait for it.
    fn reach(
        &mut self,
        bytes: usize,
        most: usize,
    ) -> impl Future<Output = Result<usize, BodyError>> + Send;
}

/// Once this many bytes of a body have arrived, the announced rest is assumed to follow.
const COMING_BYTES: usize = 1 << 20;

/// A request body that has to arrive at a minimum rate.
#[derive(Debug)]
pub struct Timed<B> {
    body: B,
    grace: Duration,
    bytes_per_second: u64,
    /// Whether other requests need the memory that this body holds. If so, it must advance by
    /// `bytes_under_pressure` within `grace_under_pressure`.
    pressure: Pressure,
    bytes_under_pressure: u64,
    grace_under_pressure: Duration,
    began: Option<Instant>,
    /// When the last chunk arrived.
    moved: Option<Instant>,
    /// When the body last advanced by `bytes_under_pressure`, and its size at that time.
    stride: Option<(Instant, u64)>,
    /// When the last chunk was handed to the reader. Until the reader asks for the next one, any
    /// delay is the reader's, not the sender's.
    taken: Option<Instant>,
    bytes: u64,
    late: Option<Pin<Box<Sleep>>>,
    reading: Reading,
}

impl<B> Timed<B> {
    /// The clock starts with the first read.
    pub(crate) fn new(body: B, limits: &Limits, reading: Reading) -> Self {
        Self {
            body,
            reading,
            grace: limits.body,
            bytes_per_second: limits.body_bytes_per_second,
            pressure: limits.body_pressure.clone(),
            bytes_under_pressure: limits.body_bytes_under_pressure,
            grace_under_pressure: limits.stall_under_pressure,
            began: None,
            moved: None,
            stride: None,
            taken: None,
            bytes: 0,
            late: None,
        }
    }

    /// The record of who holds this body.
    pub(crate) fn reading(&mut self) -> &mut Reading {
        &mut self.reading
    }

    /// The time that the bytes received so far allow at the minimum rate.
    fn earned(&self) -> Duration {
        Duration::from_millis(self.bytes.saturating_mul(1000) / self.bytes_per_second)
    }

    /// The time that they allow at the rate at which a body has to advance under pressure.
    fn earned_under_pressure(&self) -> Duration {
        let strides = self.bytes / self.bytes_under_pressure;
        self.grace_under_pressure.saturating_mul(u32::try_from(strides).unwrap_or(u32::MAX))
    }

    /// When the next chunk is too late.
    fn deadline(&self, began: Instant) -> Instant {
        let earned = self.earned();
        // Bytes received earn time for the transfer as a whole, but not for a single pause.
        let pause = self.moved.unwrap_or(began) + self.grace;
        let deadline = (began + self.grace + earned).min(pause);
        match self.stride {
            // Otherwise a sender that sends byte by byte could hold memory that other requests
            // need.
            Some((since, _)) if self.pressure.is_there() => {
                deadline.min(since + self.grace_under_pressure)
            }
            Some(_) | None => deadline,
        }
    }

    /// Records that a chunk arrived.
    fn moves(&mut self, bytes: usize) {
        let now = Instant::now();
        self.bytes += bytes as u64;
        self.moved = Some(now);
        self.taken = Some(now);
        self.late = None;
        if self.stride.is_none_or(|(_, at)| self.bytes - at >= self.bytes_under_pressure) {
            self.stride = Some((now, self.bytes));
        }
    }

    /// The reader asks for the next chunk. The time until it asked is not the sender's fault, so
    /// the deadlines move by that much.
    fn is_asked(&mut self) {
        let Some(away) = self.taken.take().map(|taken| taken.elapsed()) else { return };
        if let Some(began) = &mut self.began {
            *began += away;
        }
        if let Some(moved) = &mut self.moved {
            *moved += away;
        }
        if let Some((since, _)) = &mut self.stride {
            *since += away;
        }
    }
}

impl<B> Body for Timed<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let timed = self.get_mut();
        timed.is_asked();
        let polled = Pin::new(&mut timed.body).poll_frame(cx);
        if polled.is_ready() {
            timed.reading.moves();
        }
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                timed.moves(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let began = *timed.began.get_or_insert_with(Instant::now);
                let earned = timed.earned_under_pressure();
                timed.reading.is_awaited(began + timed.grace_under_pressure + earned);
                loop {
                    if let Some(late) = &mut timed.late
                        && late.as_mut().poll(cx).is_pending()
                    {
                        return Poll::Pending;
                    }
                    let (now, deadline) = (Instant::now(), timed.deadline(began));
                    if now >= deadline {
                        break;
                    }
                    // Other requests may start to wait for memory in the meantime.
                    let look_at = deadline.min(now + timed.grace_under_pressure);
                    timed.late = Some(Box::pin(tokio::time::sleep_until(look_at)));
                }
                let slow = BodyError::Slow { bytes: timed.bytes, after: began.elapsed() };
                Poll::Ready(Some(Err(slow.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Reads a whole body of up to `limit_bytes` bytes, reserving memory as the bytes arrive. A body
/// that arrives in many small chunks takes no more memory than one that arrives in a single chunk.
///
/// # Errors
/// Returns an error if the body is larger than the limit, slower than allowed, incomplete, or if
/// there is no memory for it.
pub async fn read<B>(
    body: B,
    limit_bytes: usize,
    memory: &mut impl Memory,
) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let too_large = BodyError::TooLarge { limit_bytes };
    let expected = body.size_hint();
    if expected.lower() > limit_bytes as u64 {
        return Err(too_large);
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let announced = expected.exact().and_then(|bytes| usize::try_from(bytes).ok());
    let most = announced.unwrap_or(limit_bytes);
    // Nothing is reserved for bytes that have only been announced.
    let mut reached = 0;
    let mut body = std::pin::pin!(body);
    // Most bodies are a single chunk, which needs no copy.
    let mut single: Option<Bytes> = None;
    let mut joined: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        let bytes = single.as_ref().map_or(0, Bytes::len) + joined.len() + data.len();
        if bytes > limit_bytes {
            return Err(too_large);
        }
        if bytes > reached {
            reached = memory.reach((2 * bytes).min(most).max(bytes), most).await?;
        }
        if single.is_none() && joined.is_empty() {
            single = Some(data);
            continue;
        }
        if let Some(first) = single.take() {
            joined.extend_from_slice(&first);
        }
        // Growing a buffer by copying holds both copies for a moment. Once the announced body is
        // clearly arriving, the buffer grows to its final size in one step.
        let room = announced.filter(|_| joined.len() >= COMING_BYTES).unwrap_or(reached);
        joined.reserve_exact(room.saturating_sub(joined.len()));
        joined.extend_from_slice(&data);
    }
    if joined.capacity() > 2 * joined.len() {
        joined.shrink_to_fit();
    }
    Ok(single.unwrap_or_else(|| joined.into()))
}

fn broken(error: impl Into<BoxError>) -> BodyError {
    match error.into().downcast::<BodyError>() {
        Ok(known) => *known,
        Err(error) => BodyError::Broken(error.to_string()),
    }
}

/// A response body, written in chunks. The response counts as being written until its last chunk is
/// taken.
#[derive(Debug)]
pub struct ResponseBody<B> {
    body: B,
    /// What is left of the last chunk of `body`.
    rest: Bytes,
    under_way: UnderWay,
}

impl<B: Body> ResponseBody<B> {
    pub(crate) fn new(body: B, request: Request) -> Self {
        if body.size_hint().lower() > PIECE_BYTES as u64 {
            request.0.has_much_to_write.notify_one();
        }
        let answer = request.0.activity().answer_begins(Instant::now());
        Self { body, rest: Bytes::new(), under_way: UnderWay { answer, request } }
    }
}

/// Marks a request as in progress for its own lifetime.
#[derive(Debug)]
pub(crate) struct Request(Arc<Connection>);

impl Request {
    pub(crate) fn begin(connection: &Arc<Connection>) -> Self {
        connection.activity().request_begins();
        Self(Arc::clone(connection))
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.0.activity().request_ends(Instant::now());
    }
}

/// Marks a request body as held by the service for its own lifetime.
#[derive(Debug)]
pub(crate) struct Reading {
    connection: Arc<Connection>,
    number: u64,
    is_awaited: bool,
    is_lingering: bool,
}

impl Reading {
    pub(crate) fn begin(connection: &Arc<Connection>) -> Self {
        let number = connection.activity().body_begins();
        Self { connection: Arc::clone(connection), number, is_awaited: false, is_lingering: false }
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.connection.activity().is_http2()
    }

    /// Records that the body was refused and is only being drained.
    pub(crate) fn lingers(&mut self) {
        if !std::mem::replace(&mut self.is_lingering, true) {
            let mut activity = self.connection.activity();
            activity.linger_begins();
            activity.body_ends(self.number, Instant::now());
        }
    }

    fn is_awaited(&mut self, late: Instant) {
        if !self.is_lingering && !std::mem::replace(&mut self.is_awaited, true) {
            self.connection.activity().body_is_awaited(self.number, late);
        }
    }

    fn moves(&mut self) {
        if std::mem::take(&mut self.is_awaited) {
            self.connection.activity().body_moves(self.number);
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let (now, mut activity) = (Instant::now(), self.connection.activity());
        match self.is_lingering {
            true => activity.linger_ends(now),
            false => activity.body_ends(self.number, now),
        }
    }
}

/// Marks a response as being written for its own lifetime.
#[derive(Debug)]
struct UnderWay {
    answer: u64,
    request: Request,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.request.0.activity().answer_ends(self.answer);
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let answer = self.get_mut();
        let UnderWay { answer: number, request } = &answer.under_way;
        request.0.activity().answer_moves(*number, Instant::now());
        if !answer.rest.is_empty() {
            let piece = answer.rest.split_to(answer.rest.len().min(PIECE_BYTES));
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let polled = Pin::new(&mut answer.body).poll_frame(cx);
        let Poll::Ready(Some(Ok(frame))) = polled else { return polled };
        Poll::Ready(Some(Ok(match frame.into_data() {
            Ok(mut data) => {
                let piece = data.split_to(data.len().min(PIECE_BYTES));
                answer.rest = data;
                Frame::data(piece)
            }
            Err(other) => other,
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let inner = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + rest);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
