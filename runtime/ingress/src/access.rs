//! Who may ask, and what of a request is not for handlers.

use http::{HeaderName, HeaderValue, Method, header};
use protocol::surface;
use runtime_http::Hosts;
use tower_http::cors::{AllowHeaders, AllowOrigin, Any, CorsLayer};

/// What an operator has decided about requests.
#[derive(Debug, Clone)]
pub struct Access {
    /// Names that the server answers under.
    pub hosts: Hosts,
    /// Pages that may read answers.
    pub origins: Origins,
    /// Headers that are not handed over to handlers, and so are not stored either.
    pub dropped_headers: Vec<HeaderName>,
}

/// Pages of other origins whose requests browsers let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// All of them, without cookies and other credentials.
    Any,
    /// These, with credentials.
    Listed(Vec<HeaderValue>),
}

/// An origin that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not an origin: expected one like https://app.example.com:8443, or * alone for any"
)]
pub struct BadOrigin(String);

/// What an answer may say beside the headers that every page can read.
const EXPOSED: [HeaderName; 4] = [
    HeaderName::from_static(surface::header::INVOCATION),
    HeaderName::from_static(surface::header::ERROR_SOURCE),
    HeaderName::from_static(surface::header::IDEMPOTENCY_EXPIRES),
    header::RETRY_AFTER,
];

impl Default for Access {
    /// Any page may call, without credentials; cookies, and what is meant for a proxy, stay here.
    fn default() -> Self {
        Self {
            hosts: Hosts::default(),
            origins: Origins::Any,
            dropped_headers: vec![header::COOKIE, header::PROXY_AUTHORIZATION],
        }
    }
}

impl Origins {
    /// Reads origins: `*` alone for any, or those that browsers send, such as `https://app.example.com`.
    ///
    /// # Errors
    /// When one is none, or `*` is not alone.
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
            // Browsers write both in lower case, and compare as they stand.
            let value = HeaderValue::from_str(&origin.to_ascii_lowercase()).map_err(|_| bad())?;
            if is_one { Ok(value) } else { Err(bad()) }
        };
        origins.iter().map(parse).collect::<Result<_, _>>().map(Self::Listed)
    }

    /// What browsers are told.
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
