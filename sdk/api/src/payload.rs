//! Values on the wire: JSON for types that serde supports, uninterpreted bytes for [`Raw`].

use bytes::Bytes;
use protocol::surface::content_type::JSON;
use serde::{Serialize, de::DeserializeOwned};

/// Content type of uninterpreted bytes.
const OCTETS: &str = "application/octet-stream";

/// A value that can be sent. Every `Serialize` type is encoded as JSON; implement this trait for a
/// type that is not `Serialize` to choose another encoding.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent over the network",
    label = "neither `Serialize` nor `Encode`",
    note = "write #[derive(Serialize, Deserialize)] on it: handler arguments and results need both, \
            because either side may encode or decode them; for raw bytes use `Raw`"
)]
pub trait Encode {
    /// Encodes the value. A type without data, like `()`, encodes to an empty body.
    ///
    /// # Errors
    /// Returns an error if the value cannot be encoded, such as a JSON map whose keys are not
    /// strings.
    fn encode(&self) -> Result<Bytes, PayloadError>;

    /// The content type of the encoded bytes.
    fn content_type() -> &'static str;
}

/// A value that can be received; see [`Encode`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be received over the network",
    label = "neither `Deserialize` nor `Decode`",
    note = "write #[derive(Serialize, Deserialize)] on it: handler arguments and results need both, \
            because either side may encode or decode them; for raw bytes use `Raw`"
)]
pub trait Decode: Sized {
    /// Decodes a value. An empty body decodes to a type without data, and to `None`.
    ///
    /// # Errors
    /// Returns an error if the bytes are not the encoding of such a value.
    fn decode(bytes: Bytes) -> Result<Self, PayloadError>;

    /// The content type that senders should use, or `*/*` for any.
    fn content_type() -> &'static str;
}

/// A value that cannot be encoded or decoded.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {cause}")]
pub struct PayloadError {
    what: String,
    #[source]
    cause: Box<dyn std::error::Error + Send + Sync>,
}

impl PayloadError {
    /// An error about a `T`: `verb` is what failed (`read` or `write`), `cause` is the reason.
    pub fn new<T: ?Sized>(
        verb: &str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let what = format!("cannot {verb} a {}", std::any::type_name::<T>());
        Self { what, cause: cause.into() }
    }
}

impl<T: Serialize + ?Sized> Encode for T {
    fn encode(&self) -> Result<Bytes, PayloadError> {
        let json =
            serde_json::to_vec(self).map_err(|error| PayloadError::new::<T>("write", error))?;
        // A type without data, like `()` or a unit struct, is an empty body.
        let is_nothing = size_of_val(self) == 0 && json == b"null";
        Ok(if is_nothing { Bytes::new() } else { json.into() })
    }

    fn content_type() -> &'static str {
        JSON
    }
}

impl<T: DeserializeOwned> Decode for T {
    fn decode(bytes: Bytes) -> Result<Self, PayloadError> {
        let json = if bytes.is_empty() { b"null" } else { &bytes[..] };
        serde_json::from_slice(json).map_err(|error| PayloadError::new::<T>("read", error))
    }

    fn content_type() -> &'static str {
        JSON
    }
}

/// Uninterpreted bytes, sent and received unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Raw(pub Bytes);

impl Encode for Raw {
    fn encode(&self) -> Result<Bytes, PayloadError> {
        Ok(self.0.clone())
    }

    fn content_type() -> &'static str {
        OCTETS
    }
}

impl Decode for Raw {
    fn decode(bytes: Bytes) -> Result<Self, PayloadError> {
        Ok(Self(bytes))
    }

    fn content_type() -> &'static str {
        "*/*"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_an_empty_body_and_the_rest_is_json() {
        assert_eq!(().encode().unwrap(), Bytes::new());
        assert_eq!(None::<u8>.encode().unwrap(), Bytes::from("null"));
        assert_eq!("a".encode().unwrap(), Bytes::from("\"a\""));
        assert_eq!(Raw(Bytes::from("a")).encode().unwrap(), Bytes::from("a"));
        <()>::decode(Bytes::new()).unwrap();
        assert_eq!(Option::<u8>::decode(Bytes::new()).unwrap(), None);
        assert_eq!(Raw::decode(Bytes::from("a")).unwrap(), Raw(Bytes::from("a")));
    }

    #[test]
    fn what_cannot_be_read_names_the_type_and_the_fault() {
        let error = u8::decode(Bytes::from("\"x\"")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read a u8: invalid type"), "{error}");
    }
}
