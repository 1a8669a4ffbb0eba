//! What to do with a body that its reader gave up: whoever is refused early still sends, and a connection
//! that is closed under them takes the answer away with it. So the rest is read and thrown away, for a
//! moment.

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

/// A request's body. Dropped before its end it goes on in the background, as far as `LINGER` and
/// `LINGER_BYTES_MAX` allow; the connection is the first to go when there is no place for another.
#[derive(Debug)]
pub struct Lingering {
    /// `None` once there is nothing to wait for: it failed.
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
        // A stream of HTTP/2 is ended alone, by a reset that says there was no error.
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
                tracing::debug!("the rest of a refused body did not come in time");
            }
        });
    }
}
