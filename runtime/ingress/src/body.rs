//! Bodies: read whole within the limit, written whole.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};

use crate::error::Rejection;

/// Why a body could not be read.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

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
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > limit_bytes as u64 {
        return Err(Rejection::TooLarge { limit_bytes });
    }
    match Limited::new(body, limit_bytes).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Rejection::TooLarge { limit_bytes }),
        Err(error) => Err(Rejection::Body(error.to_string())),
    }
}
