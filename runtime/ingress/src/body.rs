//! Bodies: read as a whole, up to the size limit and within the memory budget, and written as a
//! whole.

use bytes::Bytes;
use http::request::Parts;
use http_body_util::Full;
use runtime_http::body::{BodyError, BoxError};
use runtime_partition::budget::Held;

use crate::{Ingress, Memory, error::Rejection};

/// The body of every response.
pub(crate) type Body = Full<Bytes>;

/// Upper bound for a JSON body that only names an invocation, in bytes.
const NAME_BYTES_MAX: usize = 1 << 20;

pub(crate) fn full(bytes: Bytes) -> Body {
    Full::new(bytes)
}

/// Reads the body of a new request. Its head counts against the memory budget, too. Drop the
/// returned `Held`s once a partition has accepted the event.
pub(crate) async fn read<B>(
    ingress: &Ingress,
    head: &Parts,
    body: B,
) -> Result<(Bytes, Vec<Held>), Rejection>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    Ok(read_with(&ingress.memory, ingress.request_size_max_bytes, head, body).await?)
}

async fn read_with<B>(
    memory: &Memory,
    limit_bytes: usize,
    head: &Parts,
    body: B,
) -> Result<(Bytes, Vec<Held>), BodyError>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut memory = TryReserve::new(memory, head_bytes(head))?;
    let body = runtime_http::body::read(body, limit_bytes, &mut memory).await?;
    Ok((body, memory.held))
}

/// Reads a result that an invocation waits for. It waits for memory instead of being refused.
pub(crate) async fn read_result<B>(
    ingress: &Ingress,
    body: B,
) -> Result<(Bytes, Vec<Held>), Rejection>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let limit_bytes = ingress.request_size_max_bytes;
    let mut memory = WaitReserve { memory: &ingress.memory, held: None };
    let read = runtime_http::body::read(body, limit_bytes, &mut memory).await;
    Ok((read?, memory.held.into_iter().collect()))
}

/// Reads a body that only names an invocation.
pub(crate) async fn read_name<B>(ingress: &Ingress, body: B) -> Result<Bytes, Rejection>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut memory = TryReserve::new(&ingress.memory, 0)?;
    let limit_bytes = ingress.request_size_max_bytes.min(NAME_BYTES_MAX);
    Ok(runtime_http::body::read(body, limit_bytes, &mut memory).await?)
}

/// The memory that a head takes: names, values, and a fixed amount for each header. In HTTP/2 it
/// counts twice, because the values are slices of the frames that they arrived in.
fn head_bytes(head: &Parts) -> usize {
    const EACH: usize = 64;
    let headers = head.headers.iter();
    let headers: usize =
        headers.map(|(name, value)| name.as_str().len() + value.len() + EACH).sum();
    let bytes = headers + head.uri.path_and_query().map_or(0, |path| path.as_str().len());
    if head.version == http::Version::HTTP_2 { 2 * bytes } else { bytes }
}

/// Memory that is available now or not at all. A refused client retries in a moment, by which time
/// stalled bodies have lost their memory.
struct TryReserve<'a> {
    memory: &'a Memory,
    held: Vec<Held>,
    /// How many bytes of the body memory is reserved for.
    bytes: usize,
}

impl<'a> TryReserve<'a> {
    /// Reserves memory for the head, which is already there, whether or not any of the body ever
    /// arrives.
    fn new(memory: &'a Memory, head_bytes: usize) -> Result<Self, BodyError> {
        let mut asked = Self { memory, held: Vec::new(), bytes: 0 };
        asked.take(head_bytes)?;
        Ok(asked)
    }

    fn take(&mut self, bytes: usize) -> Result<(), BodyError> {
        if bytes == 0 {
            return Ok(());
        }
        let Some(held) = self.memory.requests.try_take(bytes) else {
            self.memory.body_pressure.note_refusal();
            return Err(BodyError::NoMemory);
        };
        self.held.push(held);
        Ok(())
    }
}

impl runtime_http::body::Memory for TryReserve<'_> {
    async fn reach(&mut self, bytes: usize, _: usize) -> Result<usize, BodyError> {
        self.take(bytes.saturating_sub(self.bytes))?;
        self.bytes = bytes;
        Ok(bytes)
    }
}

/// Memory that is waited for. A body that holds memory must not wait for more while others do the
/// same. So it first gets a little, and then returns that and takes everything it may need at once.
struct WaitReserve<'a> {
    memory: &'a Memory,
    held: Option<Held>,
}

impl runtime_http::body::Memory for WaitReserve<'_> {
    async fn reach(&mut self, bytes: usize, most: usize) -> Result<usize, BodyError> {
        let is_more = self.held.take().is_some();
        let bytes = if is_more { most } else { bytes };
        self.held = Some(self.memory.for_result(bytes).await);
        Ok(bytes)
    }
}

impl From<BodyError> for Rejection {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::FutureExt as _;
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use runtime_partition::budget::Share;

    use super::*;

    type Frames = futures::stream::Pending<Result<Frame<Bytes>, Infallible>>;

    #[test]
    fn a_head_whose_body_never_comes_takes_what_it_is() {
        let memory = Memory { requests: Share::new(1 << 20), ..Memory::default() };
        let request = http::Request::builder().header("x-long", "x".repeat(28 << 10));
        let (head, ()) = request.body(()).unwrap().into_parts();
        let silent = || StreamBody::new(futures::stream::pending() as Frames);
        let mut waiting = Vec::new();
        let refused = (0..100).find_map(|_| {
            let mut read = Box::pin(read_with(&memory, 1 << 20, &head, silent()));
            let answer = read.as_mut().now_or_never();
            if answer.is_none() {
                waiting.push(read);
            }
            answer
        });
        assert!(matches!(refused, Some(Err(BodyError::NoMemory))), "{refused:?}");
        assert!(waiting.len() * (28 << 10) <= 1 << 20, "{} wait", waiting.len());
        // Giving up returns memory to the next request.
        waiting.pop();
        let next = Box::pin(read_with(&memory, 1 << 20, &head, silent())).now_or_never();
        assert!(next.is_none(), "{next:?}");
    }
}
