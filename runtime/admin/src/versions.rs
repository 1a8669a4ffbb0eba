//! The supported versions of the API. A path without a version means the newest.

use crate::error::Refusal;

/// Oldest supported version of this API. Version 2 registers by force unless told otherwise, which
/// is the opposite of what the same request means in later versions.
pub const MIN: u32 = 3;
/// Newest supported version of this API.
pub const MAX: u32 = 4;

/// Refuses requests to versions that are no longer supported.
pub(crate) async fn unspoken() -> Refusal {
    Refusal::BadRequest(format!(
        "this version of the admin API is not supported: use /v{MIN} to /v{MAX}, or a newer release of \
         your command line or client"
    ))
}
