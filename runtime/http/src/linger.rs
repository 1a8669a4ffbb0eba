//! Drains bodies that the service gave up on. A client that is refused early is still sending, and
//! closing the connection under it would discard the response too. So the rest of the body is read
//! and discarded for a bounded time.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;

use crate::{
    body::{BoxError, Timed},
    limits::{LINGER, LINGER_BYTES_MAX},
};

/// A request body. If it is dropped before its end, it is drained in the background within `LINGER`
/// and `LINGER_BYTES_MAX`. Meanwhile its connection is the first to be evicted when another needs a
/// permit.
#[derive(Debug)]
pub struct Lingering {
    /// `None` once the body has failed, when there is nothing left to drain.
    body: Option<Timed<Incoming>>,
}

impl Lingering {
    pub(crate) fn new(body: Timed<Incoming>) -> Self {
        Self { body: Some(body) }
    }
}

impl Body for Lingering {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        if let Poll::Ready(Some(Err(_))) = &polled {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let Some(mut body) = self.body.take() else { return };
        // HTTP/2 ends just this stream, with a reset that signals no error.
        if body.is_end_stream()
            || body.reading().is_http2()
            || body.size_hint().lower() > LINGER_BYTES_MAX as u64
        {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        body.reading().lingers();
        runtime.spawn(async move {
            let mut left = LINGER_BYTES_MAX;
            let rest = async {
                while let Some(Ok(frame)) = body.frame().await {
                    let bytes = frame.data_ref().map_or(0, Bytes::len);
                    match left.checked_sub(bytes) {
                        Some(less) => left = less,
                        None => return,
                    }
                }
            };
            if tokio::time::timeout(LINGER, rest).await.is_err() {
                tracing::debug!("the rest of a refused body did not arrive in time");
            }
        });
    }
}
