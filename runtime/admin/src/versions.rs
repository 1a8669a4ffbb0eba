//! Which versions of the API there are. A path without one means the newest.

use crate::error::Refusal;

/// Oldest version of this API that is spoken. Version 2 registers by force unless told not to, which
/// is the opposite of what the same request means since.
pub const MIN: u32 = 3;
/// Newest version of this API that is spoken.
pub const MAX: u32 = 4;

/// Answers whatever is asked of a version that is not spoken any more.
pub(crate) async fn unspoken() -> Refusal {
    Refusal::BadRequest(format!(
        "this version of the admin API is not spoken: use /v{MIN} to /v{MAX}, or a newer release of \
         your command line or client"
    ))
}
