//! What a request carries in addition to its path: delay, idempotency key, content type, and the
//! headers that are passed to the handler.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use protocol::surface::header::{IDEMPOTENCY_EXPIRES, IDEMPOTENCY_KEY, LIMIT_KEY};
use runtime_core::model::deployment::InputRule;
use runtime_schema::content_type;
use runtime_views::duration;

use crate::error::Rejection;

/// Headers that concern only the connection or the ingress.
const NOT_PASSED: [&str; 4] = ["connection", "host", IDEMPOTENCY_KEY, IDEMPOTENCY_EXPIRES];

/// Prefix of the headers that the ingress itself adds for the handler. A client's headers with this
/// prefix are not passed on, so a handler can trust them.
const OURS: &str = "x-restate-";

/// Header that carries the path of the request to the handler.
const INGRESS_PATH: &str = "x-restate-ingress-path";

/// The headers that the handler gets: all values of each, in their order. They are part of the
/// input, and the same on every attempt.
pub(crate) fn for_handler(
    headers: &HeaderMap,
    path_and_query: &str,
    dropped: &[HeaderName],
) -> Result<Vec<(String, String)>, Rejection> {
    let mut passed = Vec::with_capacity(headers.len() + 1);
    passed.push((INGRESS_PATH.to_owned(), path_and_query.to_owned()));
    for (name, value) in headers {
        let is_kept_back = NOT_PASSED.contains(&name.as_str())
            || name.as_str().starts_with(OURS)
            || dropped.contains(name);
        if !is_kept_back {
            passed.push((name.as_str().to_owned(), text(name.as_str(), value)?));
        }
    }
    Ok(passed)
}

/// The client's idempotency key, which may be empty. Several different keys are refused.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Rejection> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.any(|other| other != value) {
        return Err(Rejection::IdempotencyKeys);
    }
    text(IDEMPOTENCY_KEY, value).map(Some)
}

fn text(name: &str, value: &HeaderValue) -> Result<String, Rejection> {
    let text = std::str::from_utf8(value.as_bytes());
    text.map(str::to_owned).map_err(|_| Rejection::Header { name: name.to_owned() })
}

/// Whether the request has a limit key, as a header or as a query parameter.
pub(crate) fn has_limit_key(headers: &HeaderMap, query: Option<&str>) -> bool {
    headers.contains_key(LIMIT_KEY) || parameter(query, "limit-key").is_some()
}

/// The delay of a send in milliseconds, from the query.
pub(crate) fn delay_ms(query: Option<&str>) -> Result<Option<u64>, Rejection> {
    let Some(text) = parameter(query, "delay") else { return Ok(None) };
    let delay_ms = duration::parse_ms(&text);
    delay_ms.map(Some).map_err(|reason| Rejection::Delay(format!("'{text}': {reason}")))
}

/// The value of a query parameter. Its name is not case-sensitive.
fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    query?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = value.replace('+', " ");
        key.eq_ignore_ascii_case(name)
            .then(|| percent_encoding::percent_decode_str(&value).decode_utf8_lossy().into_owned())
    })
}

/// Checks a body against the handler's rule, by its content type alone.
pub(crate) fn check_input(
    headers: &HeaderMap,
    is_empty: bool,
    rule: &InputRule,
) -> Result<(), Rejection> {
    let actual = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Some(expected) = &rule.content_type else {
        let is_none = is_empty && actual.is_none();
        return if is_none { Ok(()) } else { Err(Rejection::BodyNotTaken) };
    };
    match actual {
        None if is_empty && !rule.required => Ok(()),
        None => Err(Rejection::ContentTypeMissing(expected.clone())),
        Some(actual) if content_type::matches(actual, expected) => Ok(()),
        Some(actual) => {
            Err(Rejection::ContentType { actual: actual.to_owned(), expected: expected.clone() })
        }
    }
}

#[cfg(test)]
mod tests;
