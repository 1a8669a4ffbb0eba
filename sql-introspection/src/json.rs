//! JSON in values.

use serde::de::IgnoredAny;

/// The text of a value that is JSON.
pub(crate) fn checked(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    serde_json::from_str::<IgnoredAny>(text).ok().map(|_| text)
}
