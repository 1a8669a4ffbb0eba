//! Bodies, with an eye on whether they move: requests' have to come at some speed, and answers' are
//! written in pieces, so that a reader that takes none of them is noticed.

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

/// What a transport says.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request's body can't be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It comes too slowly.
    #[error(
        "the body comes too slowly: {bytes} bytes in {} s, and the rest was not there", after.as_secs()
    )]
    Slow {
        /// How much of it came.
        bytes: u64,
        /// In which time.
        after: Duration,
    },
    /// It is larger than allowed.
    #[error("the body is larger than {limit_bytes} bytes")]
    TooLarge {
        /// How large it may be.
        limit_bytes: usize,
    },
    /// There is no memory for it now.
    #[error("the server is busy and has no memory for the body; try again in a moment")]
    NoMemory,
    /// It broke off.
    #[error("the body cannot be read: {0}")]
    Broken(String),
}

/// Memory for a body that is being read.
pub trait Memory: Send {
    /// Sees to it that there is memory for so many bytes in all, of `most` that there can be, and says for how
    /// many there is; called when some of them have come, and again when there are more.
    ///
    /// # Errors
    /// When there is none, and waiting for it is out of the question.
    fn reach(
        &mut self,
        bytes: usize,
        most: usize,
    ) -> impl Future<Output = Result<usize, BodyError>> + Send;
}

/// Of a body that has sent so much the rest is taken to come, too.
const COMING_BYTES: usize = 1 << 20;

/// A request's body that has to come at some speed.
#[derive(Debug)]
pub struct Timed<B> {
    body: B,
    grace: Duration,
    bytes_per_second: u64,
    /// Who needs the memory that this takes; and how far it must get on then, in which time.
    pressure: Pressure,
    bytes_under_pressure: u64,
    grace_under_pressure: Duration,
    began: Option<Instant>,
    /// When the last piece came.
    moved: Option<Instant>,
    /// When it had last got on that far, and how far it was then.
    stride: Option<(Instant, u64)>,
    /// When the last piece was handed over: until the next is asked for, nobody is slow but the reader.
    taken: Option<Instant>,
    bytes: u64,
    late: Option<Pin<Box<Sleep>>>,
    reading: Reading,
}

impl<B> Timed<B> {
    /// The clock starts when somebody begins to read.
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

    /// Whose it is.
    pub(crate) fn reading(&mut self) -> &mut Reading {
        &mut self.reading
    }

    /// How long it may have taken for what has come.
    fn earned(&self) -> Duration {
        Duration::from_millis(self.bytes.saturating_mul(1000) / self.bytes_per_second)
    }

    /// When it is too late for the next piece.
    fn deadline(&self, began: Instant) -> Instant {
        let earned = self.earned();
        // What has come earns time in all, and none for a pause.
        let pause = self.moved.unwrap_or(began) + self.grace;
        let deadline = (began + self.grace + earned).min(pause);
        match self.stride {
            // By the byte, whoever sends could keep what others need.
            Some((since, _)) if self.pressure.is_there() => {
                deadline.min(since + self.grace_under_pressure)
            }
            Some(_) | None => deadline,
        }
    }

    /// A piece has come.
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

    /// Somebody asks for the next piece. That he did not before was not the sender's fault.
    fn is_asked(&mut self) {
        let Some(away) = self.taken.take().map(|taken| taken.elapsed()) else { return };
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
                timed.reading.is_awaited(began + timed.grace_under_pressure + timed.earned());
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
                    // Others may come to wait meanwhile.
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

/// Reads a whole body of at most so many bytes, as far as there is memory for it. What comes in many
/// small pieces takes no more of that than what comes in one.
///
/// # Errors
/// When it is larger, or slower than allowed, or breaks off, or there is no memory.
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
    // What was only announced costs nobody anything.
    let mut reached = 0;
    let mut body = std::pin::pin!(body);
    // Most bodies are one piece, which nobody has to copy.
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
        // What grows by copies is there twice meanwhile, so what is really coming is grown once.
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

/// An answer's body, in pieces, which counts as being written until its last piece is taken.
#[derive(Debug)]
pub struct Answer<B> {
    body: B,
    /// What is left of the last piece of `body`.
    rest: Bytes,
    under_way: UnderWay,
}

impl<B: Body> Answer<B> {
    pub(crate) fn new(body: B, request: Request) -> Self {
        if body.size_hint().lower() > PIECE_BYTES as u64 {
            request.0.has_much_to_write.notify_one();
        }
        let answer = request.0.activity().answer_begins(Instant::now());
        Self { body, rest: Bytes::new(), under_way: UnderWay { answer, request } }
    }
}

/// A request that is under way for as long as this lives.
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

/// A request's body that somebody has for as long as this lives.
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

    /// It was refused, and is only read on.
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

/// An answer that is being written for as long as this lives.
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

impl<B: Body<Data = Bytes> + Unpin> Body for Answer<B> {
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
