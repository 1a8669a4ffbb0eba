//! Which requests are let in, and which of their headers handlers don't see.

use http::{HeaderName, HeaderValue, Method, header};
use protocol::surface;
use runtime_http::Hosts;
use tower_http::cors::{AllowHeaders, AllowOrigin, Any, CorsLayer};

/// What the operator has configured about access.
#[derive(Debug, Clone)]
pub struct Access {
    /// Host names that the server accepts.
    pub hosts: Hosts,
    /// Origins whose pages may read responses.
    pub origins: Origins,
    /// Headers that are not passed to handlers, and so are not stored either.
    pub dropped_headers: Vec<HeaderName>,
}

/// Origins whose pages browsers let call the ingress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// All origins, without cookies or other credentials.
    Any,
    /// These origins, with credentials.
    Listed(Vec<HeaderValue>),
}

/// A value that is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not an origin: expected one like https://app.example.com:8443, or * alone for any"
)]
pub struct BadOrigin(String);

/// Response headers that pages may read in addition to those that CORS always exposes.
const EXPOSED: [HeaderName; 4] = [
    HeaderName::from_static(surface::header::INVOCATION),
    HeaderName::from_static(surface::header::ERROR_SOURCE),
    HeaderName::from_static(surface::header::IDEMPOTENCY_EXPIRES),
    header::RETRY_AFTER,
];

impl Default for Access {
    /// Any page may call, without credentials. Cookies and credentials for a proxy are not passed
    /// on.
    fn default() -> Self {
        Self {
            hosts: Hosts::default(),
            origins: Origins::Any,
            dropped_headers: vec![header::COOKIE, header::PROXY_AUTHORIZATION],
        }
    }
}

impl Origins {
    /// Parses origins: `*` alone for any, or origins as browsers send them, such as
    /// `https://app.example.com`.
    ///
    /// # Errors
    /// Returns an error if a value is not an origin, or if `*` is not alone.
    pub fn parse<'a>(origins: impl IntoIterator<Item = &'a str>) -> Result<Self, BadOrigin> {
        let origins: Vec<&str> = origins.into_iter().map(str::trim).collect();
        if origins == ["*"] {
            return Ok(Self::Any);
        }
        let parse = |origin: &&str| {
            let bad = || BadOrigin((*origin).to_owned());
            let (scheme, authority) = origin.split_once("://").ok_or_else(bad)?;
            let is_one = !scheme.is_empty()
                && authority.parse::<http::uri::Authority>().is_ok()
                && !authority.contains('@');
            // Browsers send both parts in lower case, and the comparison is exact.
            let value = HeaderValue::from_str(&origin.to_ascii_lowercase()).map_err(|_| bad())?;
            if is_one { Ok(value) } else { Err(bad()) }
        };
        origins.iter().map(parse).collect::<Result<_, _>>().map(Self::Listed)
    }

    /// The CORS headers for browsers.
    pub(crate) fn layer(&self) -> CorsLayer {
        let layer = CorsLayer::new()
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(EXPOSED);
        match self {
            Self::Any => layer.allow_origin(Any),
            Self::Listed(origins) => {
                layer.allow_origin(AllowOrigin::list(origins.clone())).allow_credentials(true)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_those_that_browsers_send() {
        assert_eq!(Origins::parse(["*"]), Ok(Origins::Any));
        assert_eq!(Origins::parse([]), Ok(Origins::Listed(Vec::new())));
        let app = HeaderValue::from_static("https://app.example.com:8443");
        assert_eq!(
            Origins::parse(["https://App.Example.com:8443"]),
            Ok(Origins::Listed(vec![app]))
        );
        for bad in ["app.example.com", "https://", "https://a/b", "https://u@a", "", "://a"] {
            assert!(Origins::parse([bad]).is_err(), "{bad}");
        }
        assert!(Origins::parse(["*", "https://a"]).is_err());
    }
}
