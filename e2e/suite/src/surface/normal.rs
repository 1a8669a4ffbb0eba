//! Normalises responses: what differs each time, or is meant for people, is replaced by a
//! placeholder, and the rest is compared exactly.

use std::collections::BTreeMap;

use e2e_client::HttpResponse;
use serde_json::Value;

use super::case::{Case, Recorded};

/// Headers that clients act on.
const HEADERS: [&str; 6] = [
    "allow",
    "content-type",
    "idempotency-expires",
    "location",
    "x-restate-error-source",
    "x-restate-id",
];

/// Fields with text for people.
const FOR_PEOPLE: [&str; 3] = ["message", "stacktrace", "error"];

/// Normalises a response for comparison.
pub fn seen(case: &Case, answer: &HttpResponse) -> Recorded {
    let headers: BTreeMap<String, String> = HEADERS
        .into_iter()
        .filter(|name| !case.races.iter().any(|race| race == name))
        .filter_map(|name| {
            let value = answer.headers.get(name)?.to_str().ok()?;
            Some((name.to_owned(), text(value)))
        })
        .collect();
    let content_type = headers.get("content-type").map_or("", String::as_str);
    let body = if answer.body.is_empty() {
        Value::Null
    } else if case.head_only {
        "<document>".into()
    } else if content_type == "application/json" {
        match serde_json::from_slice::<Value>(&answer.body) {
            Ok(mut body) => {
                if let Some(fields) = body.as_object_mut() {
                    fields.retain(|name, _| !case.more.contains(name));
                }
                json("", body)
            }
            Err(_) => text(&String::from_utf8_lossy(&answer.body)).into(),
        }
    } else if content_type.starts_with("text/") && !answer.status.is_success() {
        "<text>".into()
    } else {
        text(&String::from_utf8_lossy(&answer.body)).into()
    };
    Recorded { status: answer.status.as_u16(), headers, body }
}

fn json(field: &str, value: Value) -> Value {
    match value {
        Value::String(_) if FOR_PEOPLE.contains(&field) => "<text>".into(),
        Value::String(_) if field == "version" => "<version>".into(),
        Value::String(value) => text(&value).into(),
        Value::Array(values) => {
            let mut values: Vec<Value> = values.into_iter().map(|value| json("", value)).collect();
            // Lists of named things have no guaranteed order.
            if values.iter().all(|value| value.get("name").is_some_and(Value::is_string)) {
                values.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
                shorten(&mut values);
            }
            if values.iter().all(Value::is_string) {
                values.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            }
            Value::Array(values)
        }
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| {
                let value = json(&name, value);
                (name, value)
            });
            Value::Object(fields.collect())
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
    }
}

/// Number of named things kept of a list; those of our services that differ most have cases of
/// their own.
const SHOWN_MAX: usize = 4;

/// Shortens long lists: dozens of handlers in each response would make the files unreadable.
fn shorten(values: &mut Vec<Value>) {
    let more = values.len().saturating_sub(SHOWN_MAX);
    if more > 0 {
        values.truncate(SHOWN_MAX);
        values.push(format!("<{more} more>").into());
    }
}

/// Replaces ids, times and ports in a text.
fn text(value: &str) -> String {
    const IDS: [(&str, &str); 3] =
        [("inv_", "<invocation>"), ("dp_", "<deployment>"), ("sign_", "<awakeable>")];
    if is_time(value) {
        return "<time>".to_owned();
    }
    let mut normal = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(next) = rest.chars().next() {
        let at_word = !normal.ends_with(|last: char| last.is_ascii_alphanumeric());
        let id = IDS.iter().find(|(prefix, _)| at_word && rest.starts_with(prefix));
        if let Some((prefix, placeholder)) = id {
            let tail = &rest[prefix.len()..];
            let end = tail.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tail.len());
            normal.push_str(placeholder);
            rest = &tail[end..];
        } else if let Some(tail) = rest.strip_prefix("127.0.0.1:") {
            normal.push_str("127.0.0.1:<port>");
            rest = tail.trim_start_matches(|c: char| c.is_ascii_digit());
        } else {
            normal.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    normal
}

/// Recognises times such as `2026-11-26T18:02:11.624000000Z` and `2026-11-26T18:02:11.624+00:00`.
fn is_time(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.len() >= 20
        && (bytes.ends_with(b"Z") || bytes.ends_with(b"+00:00"))
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && bytes[10] == b'T'
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_different_each_time_is_left_out() {
        let value = json!({
            "id": "dp_14d0J7XjaguTNjeHyymaDYd", "created_at": "2026-11-26T18:02:11.624000000Z",
            "uri": "http://127.0.0.1:9080/p", "message": "anything", "code": 404,
            "services": [{ "name": "b" }, { "name": "a" }], "name": "x_dp_x",
        });
        let expected = json!({
            "id": "<deployment>", "created_at": "<time>", "uri": "http://127.0.0.1:<port>/p",
            "message": "<text>", "code": 404, "services": [{ "name": "a" }, { "name": "b" }],
            "name": "x_<deployment>",
        });
        assert_eq!(json("", value), expected);
    }
}
