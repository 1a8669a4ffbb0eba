//! Which headers an operator may add to the requests to an endpoint.

use http::{HeaderName, HeaderValue};
use protocol::surface;

/// A header that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// HTTP does not allow this name or value.
    #[error(
        "'additional_headers' has '{0}', whose name or value is not allowed in HTTP; change or remove \
         it"
    )]
    Unsendable(String),
    /// It is reserved for the runtime, which sets it on each request.
    #[error(
        "'additional_headers' has '{0}', which the runtime sets on each request itself; remove it"
    )]
    OfTheRuntime(String),
}

/// Headers that describe the connection or the body, or that identify a request of the service
/// protocol.
const OF_THE_RUNTIME: [&str; 12] = [
    "accept",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Checks the headers to be sent with each request to an endpoint.
///
/// # Errors
/// Returns the first header that cannot be sent.
pub fn check(headers: &[(String, String)]) -> Result<(), HeaderError> {
    headers.iter().try_for_each(|(name, value)| {
        let shown: String = name.chars().take(80).collect();
        let unsendable = || HeaderError::Unsendable(shown.clone());
        let parsed: HeaderName = name.parse().map_err(|_| unsendable())?;
        HeaderValue::from_str(value).map_err(|_| unsendable())?;
        let is_ours = OF_THE_RUNTIME.contains(&parsed.as_str())
            || parsed.as_str() == surface::header::ATTEMPT_OF;
        if is_ours { Err(HeaderError::OfTheRuntime(shown)) } else { Ok(()) }
    })
}

/// Shown in place of a secret value.
pub const MASKED: &str = "***";

/// Substrings of header names whose values may be credentials.
const SECRET_PARTS: [&str; 13] = [
    "auth",
    "bearer",
    "cookie",
    "credential",
    "dsn",
    "jwt",
    "key",
    "passw",
    "secret",
    "session",
    "signature",
    "token",
    "vault",
];

/// The value of a header as shown to operators: masked if it may be a credential.
pub fn shown<'a>(name: &str, value: &'a str) -> &'a str {
    let name = name.to_ascii_lowercase();
    let is_secret = SECRET_PARTS.iter().any(|part| name.contains(part));
    if is_secret { MASKED } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_runtime_sets_itself_is_refused_and_the_rest_is_sent() {
        let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        for name in ["Content-Type", "content-length", "Connection", "transfer-encoding"] {
            let refused = check(&pair(name, "x")).unwrap_err();
            assert_eq!(refused, HeaderError::OfTheRuntime(name.to_owned()));
        }
        assert!(matches!(check(&pair("a b", "x")), Err(HeaderError::Unsendable(_))));
        assert!(matches!(check(&pair("a", "x\ny")), Err(HeaderError::Unsendable(_))));
        assert_eq!(check(&pair("authorization", "Bearer x")), Ok(()));
    }

    #[test]
    fn credentials_are_not_shown() {
        for name in ["Authorization", "proxy-authorization", "Cookie", "x-api-key", "X-Auth-Token"]
        {
            assert_eq!(shown(name, "s3cr3t"), MASKED, "{name}");
        }
        assert_eq!(shown("x-tenant", "blue"), "blue");
    }
}
