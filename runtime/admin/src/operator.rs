//! Who asks for an operation, and why.

use runtime_core::model::operator::Operator;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::Refusal;

/// Who asks, until there are roles: anyone who can reach the address.
const LOCAL: &str = "local";
/// The longest reason, in bytes. The audit keeps it.
const REASON_BYTES_MAX: usize = 1 << 10;

/// What can be said with any operation.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Said {
    /// Why it is done, for the audit: up to 1 KiB.
    pub reason: Option<String>,
}

/// Who asks for an operation, and why.
pub(crate) fn operator(reason: Option<String>) -> Result<Operator, Refusal> {
    let reason = reason.filter(|reason| !reason.is_empty());
    if let Some(length) = reason.as_ref().map(String::len).filter(|it| *it > REASON_BYTES_MAX) {
        return Err(Refusal::BadRequest(format!(
            "'reason' has {length} bytes, and the audit keeps up to {REASON_BYTES_MAX}"
        )));
    }
    Ok(Operator { name: LOCAL.to_owned(), reason })
}
