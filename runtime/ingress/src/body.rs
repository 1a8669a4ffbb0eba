//! Bodies: read whole within the limit, written whole.

use bytes::Bytes;
use http_body_util::Full;
use runtime_http::body::{BodyError, BoxError};

use crate::error::Rejection;

/// What answers are made of.
pub(crate) type Body = Full<Bytes>;

pub(crate) fn full(bytes: Bytes) -> Body {
    Full::new(bytes)
}

/// Reads a whole body.
pub(crate) async fn read<B>(body: B, limit_bytes: usize) -> Result<Bytes, Rejection>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    Ok(runtime_http::body::read(body, limit_bytes).await?)
}

impl From<BodyError> for Rejection {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}
