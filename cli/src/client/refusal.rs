//! What a server says that refuses.

use std::fmt;

use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;

/// How much of a refusal without a message is shown.
const REFUSAL_CHARS_SHOWN: usize = 300;

/// The trailers of a query that fails after its first rows.
const CODE_TRAILER: &str = "abide-query-code";
const MESSAGE_TRAILER: &str = "abide-query-message";

/// What a server says that refuses.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The status of the response.
    pub(crate) status: StatusCode,
    /// What is wrong, in words.
    pub(crate) message: String,
    code: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(formatter, "{} [{code}]", self.message),
            None => formatter.write_str(&self.message),
        }
    }
}

impl Refusal {
    /// Reads it from a response: JSON with a message, or any text.
    pub(super) fn of(status: StatusCode, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            message: String,
            #[serde(default)]
            code: Value,
            #[serde(default)]
            restate_code: Value,
        }
        if let Ok(Body { message, code, restate_code }) = serde_json::from_slice(body) {
            // Some servers repeat the status as the code: a number.
            let code = code.as_str().or_else(|| restate_code.as_str());
            return Self { status, message, code: code.map(str::to_owned) };
        }
        let text = String::from_utf8_lossy(body);
        let text: String = text.trim().chars().take(REFUSAL_CHARS_SHOWN).collect();
        let colon = if text.is_empty() { "" } else { ": " };
        let message = format!("the server answered {status}{colon}{text}");
        Self { status, message, code: None }
    }

    /// Reads it from what follows an answer that has begun; `None` if nothing is wrong.
    pub(crate) fn of_trailers(status: StatusCode, trailers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| {
            trailers.get(name).map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned())
        };
        let code = text(CODE_TRAILER)?;
        let message = text(MESSAGE_TRAILER).unwrap_or_else(|| "the server does not say why".into());
        Some(Self { status, message, code: Some(code) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_show_their_message_and_their_code() {
        let said = |body: &str| Refusal::of(StatusCode::BAD_GATEWAY, body.as_bytes()).to_string();
        assert_eq!(said(r#"{"message":"no","restate_code":null}"#), "no");
        assert_eq!(said(r#"{"message":"no","code":"42P01"}"#), "no [42P01]");
        assert_eq!(said(r#"{"message":"no","restate_code":"META0001"}"#), "no [META0001]");
        assert_eq!(said(r#"{"message":"no","code":404}"#), "no");
        assert_eq!(said("<html>"), "the server answered 502 Bad Gateway: <html>");
        assert_eq!(said(""), "the server answered 502 Bad Gateway");
    }
}
