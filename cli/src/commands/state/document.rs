//! A state as a JSON object that people edit: a value that is JSON as it is, and any other as
//! `{"$hex": "…"}`.
//!
//! Values are kept as the texts that they are: to parse and print them again would change large
//! numbers, and the order of fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::stored::{Entries, of_hex};

/// How a value that is not JSON begins.
const HEX: &str = "{\"$hex\":";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hex {
    #[serde(rename = "$hex")]
    digits: String,
}

/// The document of a state.
pub(super) fn write(state: &Entries) -> Result<String, serde_json::Error> {
    let shown = |(key, value): (_, &Vec<u8>)| Ok((key, shown(value)?));
    let entries: Result<BTreeMap<&String, Box<RawValue>>, _> = state.iter().map(shown).collect();
    Ok(serde_json::to_string_pretty(&entries?)? + "\n")
}

fn shown(value: &[u8]) -> Result<Box<RawValue>, serde_json::Error> {
    match json(value) {
        Some(json) if !compact(json).starts_with(HEX) => RawValue::from_string(json.to_owned()),
        Some(_) | None => {
            let digits = value.iter().map(|byte| format!("{byte:02x}")).collect();
            serde_json::value::to_raw_value(&Hex { digits })
        }
    }
}

/// The value as JSON, if it is that.
fn json(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get)
}

/// The state that a document describes, or what is wrong with it.
pub(super) fn read(document: &str) -> Result<Entries, String> {
    let entries: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(document).map_err(|error| error.to_string())?;
    let value = |(key, value): (String, Box<RawValue>)| {
        let text = compact(value.get());
        if !text.starts_with(HEX) {
            return Ok((key, text.into_bytes()));
        }
        let hex = serde_json::from_str::<Hex>(&text).ok();
        match hex.and_then(|hex| of_hex(&hex.digits)) {
            Some(bytes) => Ok((key, bytes)),
            None => Err(format!("$hex of '{key}' needs pairs of hexadecimal digits, and no more")),
        }
    };
    entries.into_iter().map(value).collect()
}

/// Whether two values are the same but for white space in JSON, which editors may add.
pub(super) fn is_same(one: &[u8], other: &[u8]) -> bool {
    one == other
        || json(one).zip(json(other)).is_some_and(|(one, other)| compact(one) == compact(other))
}

/// JSON without the white space between its parts.
pub(super) fn compact(json: &str) -> String {
    let (mut is_text, mut is_escaped) = (false, false);
    let is_part = |it: &char| {
        let is_quote = *it == '"' && !is_escaped;
        is_escaped = is_text && *it == '\\' && !is_escaped;
        is_text ^= is_quote;
        is_text || !it.is_ascii_whitespace()
    };
    json.chars().filter(is_part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(entries: &[(&str, &[u8])]) -> Entries {
        entries.iter().map(|(key, value)| ((*key).to_owned(), value.to_vec())).collect()
    }

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let all = state(&[
            ("big", b"123456789012345678901234567890.10"),
            ("binary", b"\xff\x00"),
            ("cart", br#"{"z":1,"a":["x y",null]}"#),
            ("looks", br#"{"$hex":"00"}"#),
            ("none", b""),
            ("text", b"paid"),
        ]);
        let document = write(&all).unwrap();
        assert!(document.contains(r#"  "cart": {"z":1,"a":["x y",null]}"#), "{document}");
        assert!(document.contains(r#"  "binary": {"$hex":"ff00"}"#), "{document}");
        assert_eq!(read(&document), Ok(all));
    }

    #[test]
    fn white_space_is_no_change_except_in_texts() {
        let pretty = "{\n  \"a b\" : [ 1, \"x \\\" y\" ]\n}";
        assert_eq!(compact(pretty), r#"{"a b":[1,"x \" y"]}"#);
        assert!(is_same(br#"{"a":1}"#, b"{ \"a\": 1 }\n"));
        for (one, other) in [("\"a b\"", "\"ab\""), ("a b", "ab"), ("1", "1.0")] {
            assert!(!is_same(one.as_bytes(), other.as_bytes()), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_state_is_refused() {
        for (document, says) in [
            ("[1]", "expected a map"),
            ("{\"a\": }", "expected value at line 1"),
            ("{\"a\": {\"$hex\": \"0\"}}", "$hex of 'a' needs pairs"),
            ("{\"a\": {\"$hex\": \"00\", \"b\": 1}}", "$hex of 'a' needs pairs"),
        ] {
            let said = read(document).unwrap_err();
            assert!(said.contains(says), "{document}: {said}");
        }
    }
}
