//! Where the admin API is.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::{Uri, uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Where the admin API is: a URL, whose path goes before those of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdminUrl(Uri);

/// A text that is not the URL of an admin API.
#[derive(Debug, thiserror::Error)]
#[error("{0}, such as {default}", default = AdminUrl::DEFAULT)]
pub(crate) struct BadUrl(&'static str);

impl AdminUrl {
    const DEFAULT: &str = "http://127.0.0.1:9070";

    pub(super) fn is_https(&self) -> bool {
        self.0.scheme() == Some(&uri::Scheme::HTTPS)
    }

    /// Host and port, if the API is one that a server on this machine can have.
    pub(crate) fn local_address(&self) -> Option<String> {
        let host = self.0.host()?;
        let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
        let is_local = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
        let is_plain = !self.is_https() && self.0.path() == "/";
        let port = self.0.port_u16().unwrap_or(80);
        (is_local && is_plain).then(|| format!("{host}:{port}"))
    }

    /// The URL of a path of the API.
    pub(super) fn at(&self, path: &str) -> Result<Uri, http::Error> {
        let path = format!("{}{path}", self.0.path().trim_end_matches('/'));
        let parts = self.0.clone().into_parts();
        let [scheme, authority] =
            [parts.scheme.map(|it| it.to_string()), parts.authority.map(|it| it.to_string())];
        Uri::builder()
            .scheme(scheme.unwrap_or_default().as_str())
            .authority(authority.unwrap_or_default())
            .path_and_query(path)
            .build()
    }
}

impl Default for AdminUrl {
    fn default() -> Self {
        Self(Uri::from_static(Self::DEFAULT))
    }
}

impl FromStr for AdminUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        // An empty variable is an absent one.
        if text.is_empty() {
            return Ok(Self::default());
        }
        let url: Uri = text.parse().map_err(|_| BadUrl("expected a URL"))?;
        if !matches!(url.scheme_str(), Some("http" | "https")) {
            return Err(BadUrl("expected a URL that begins with http:// or https://"));
        }
        let authority = url.authority().map_or("", uri::Authority::as_str);
        if authority.contains('@') {
            return Err(BadUrl("a user and a password are not supported: expected a URL without"));
        }
        if url.query().is_some() {
            return Err(BadUrl("expected a URL without a query"));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for AdminUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.to_string().trim_end_matches('/'))
    }
}

/// What may stand in a segment of a path as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A name as a segment of a path. Names are typed by people, and may contain anything.
pub(crate) fn segment(name: &str) -> String {
    utf8_percent_encode(name, PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_the_url_goes_before_those_of_the_api() {
        let at = |url: &str| url.parse::<AdminUrl>().unwrap().at("/query").unwrap().to_string();
        assert_eq!(at("http://127.0.0.1:9070"), "http://127.0.0.1:9070/query");
        assert_eq!(at("http://127.0.0.1:9070/"), "http://127.0.0.1:9070/query");
        assert_eq!(at("https://example.com/abide/admin/"), "https://example.com/abide/admin/query");
        assert_eq!(at("http://[::1]:9070/a"), "http://[::1]:9070/a/query");
        assert_eq!(at(""), "http://127.0.0.1:9070/query");
    }

    #[test]
    fn other_texts_are_refused_with_an_example() {
        for (bad, says) in [
            ("127.0.0.1:9070", "begins with http:// or https://"),
            ("ftp://a", "begins with http:// or https://"),
            ("http://", "expected a URL"),
            ("http://ann:secret@a", "are not supported"),
            ("http://a/?b", "without a query"),
        ] {
            let said = bad.parse::<AdminUrl>().unwrap_err().to_string();
            assert!(said.contains(says), "{bad}: {said}");
            assert!(said.ends_with("such as http://127.0.0.1:9070"), "{bad}: {said}");
        }
    }

    #[test]
    fn a_name_is_one_segment_whatever_it_contains() {
        assert_eq!(segment("my-Service_1.~"), "my-Service_1.~");
        assert_eq!(segment("../a?b#c%/ü"), "..%2Fa%3Fb%23c%25%2F%C3%BC");
    }
}
