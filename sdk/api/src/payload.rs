//! Values on the wire: JSON for whatever serde knows, bytes as they are for [`Raw`].

use bytes::Bytes;
use protocol::surface::content_type::JSON;
use serde::{Serialize, de::DeserializeOwned};

/// Content type of bytes.
const OCTETS: &str = "application/octet-stream";

/// A value that can be sent. Implemented for everything `Serialize`, as JSON; implement it for a type
/// of your own that is not, to choose another form.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent over the network",
    label = "neither `Serialize` nor `Encode`",
    note = "write #[derive(Serialize, Deserialize)] on it: arguments and answers of handlers need both, \
            since callers and handlers stand on different sides; for bytes take `Raw`"
)]
pub trait Encode {
    /// The bytes. A type without a value, like `()`, is an empty body.
    ///
    /// # Errors
    /// When the value has no such form, like a map in JSON whose keys are no strings.
    fn encode(&self) -> Result<Bytes, PayloadError>;

    /// The content type of the bytes.
    fn content_type() -> &'static str;
}

/// A value that can be received; see [`Encode`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be received over the network",
    label = "neither `Deserialize` nor `Decode`",
    note = "write #[derive(Serialize, Deserialize)] on it: arguments and answers of handlers need both, \
            since callers and handlers stand on different sides; for bytes take `Raw`"
)]
pub trait Decode: Sized {
    /// The value. An empty body is the value of a type without one, and `None`.
    ///
    /// # Errors
    /// When the bytes are of no such value.
    fn decode(bytes: Bytes) -> Result<Self, PayloadError>;

    /// The content type that is asked for.
    fn content_type() -> &'static str;
}

/// A value that cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {cause}")]
pub struct PayloadError {
    what: String,
    #[source]
    cause: Box<dyn std::error::Error + Send + Sync>,
}

impl PayloadError {
    /// Says of which type, and what was wrong.
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
        // Nothing in it means nothing to say: `()` and unit structs.
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

/// Bytes as they are, whatever they mean.
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
