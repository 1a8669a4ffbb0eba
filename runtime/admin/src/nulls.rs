//! Clients write what they leave open as `null`; it means the same as nothing.

use serde::{Deserialize, Deserializer};

/// The default for null. To be used beside `#[serde(default)]`, which is for what is absent.
///
/// # Errors
/// When it is something of another type.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
