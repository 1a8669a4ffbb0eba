//! The value of a state entry in a request.

use std::fmt;

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};

/// The value of a state entry: a list of its bytes, or a text.
#[derive(Debug)]
pub struct StateValue(pub(super) Bytes);

impl<'de> Deserialize<'de> for StateValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadValue)
    }
}

/// Reads a list of bytes straight into bytes, which takes a small part of the list's memory.
struct ReadValue;

impl<'de> Visitor<'de> for ReadValue {
    type Value = StateValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of bytes")
    }

    fn visit_str<E>(self, text: &str) -> Result<StateValue, E> {
        Ok(StateValue(Bytes::copy_from_slice(text.as_bytes())))
    }

    fn visit_string<E>(self, text: String) -> Result<StateValue, E> {
        Ok(StateValue(Bytes::from(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<StateValue, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element()? {
            bytes.push(byte);
        }
        Ok(StateValue(Bytes::from(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Result<Bytes, String> {
        let value = serde_json::from_str::<StateValue>(json);
        value.map(|value| value.0).map_err(|error| error.to_string())
    }

    #[test]
    fn a_value_is_a_list_of_bytes_or_a_text() {
        assert_eq!(value("[34, 0, 255]"), Ok(Bytes::from_static(&[34, 0, 255])));
        assert_eq!(value(r#""{\"a\":1}""#), Ok(Bytes::from(r#"{"a":1}"#)));
        for (wrong, says) in [
            ("[256]", "expected u8"),
            ("[-1]", "expected u8"),
            ("{}", "expected a text or a list of bytes"),
            ("null", "expected a text or a list of bytes"),
        ] {
            let said = value(wrong).unwrap_err();
            assert!(said.contains(says), "{wrong}: {said}");
        }
    }
}
