//! Clients send `null` for fields that they leave open. It means the same as leaving the field out.

use serde::{Deserialize, Deserializer};

/// Deserialises `null` as the default. Use it together with `#[serde(default)]`, which covers
/// absent fields.
///
/// # Errors
/// Returns an error if the value is of another type.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
