//! The host names that a server accepts.
//!
//! A page of another origin can point its own name at this machine and have the browser send us
//! requests as if they were same-origin (DNS rebinding). The `Host` header still carries the page's
//! name, so an unexpected name is refused. Addresses and names without a dot can't be rebound: a
//! stranger can't make them point elsewhere.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::{HeaderMap, Request, StatusCode, Uri, Version, header, uri::Authority};

/// The name by which a machine refers to itself.
const LOCALHOST: &str = "localhost";

/// Host names that a server accepts in addition to addresses, names without a dot, and `localhost`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts(Vec<Rule>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    /// `*`: any name.
    Any,
    /// `*.example.com`: all names below it. Stored as `.example.com`.
    Below(String),
    /// `abide.example.com`: exactly this name.
    Name(String),
}

/// A rule that is not a valid host name or pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a host name: expected one like abide.example.com, *.example.com, or * for any"
)]
pub struct BadRule(String);

/// Why a request is not for this server, or not clearly so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The request names no host where one is required.
    #[error("the request names no host; send the header Host once")]
    Missing,
    /// The request has more than one `Host` header.
    #[error("the request names {0} hosts; send the header Host once")]
    Several(usize),
    /// The host can't be parsed.
    #[error("the host is not a name or an address with an optional port")]
    Malformed,
    /// The host is not one of this server's names.
    #[error(
        "this server is not known as '{0}'; use its address, or add the name to allowed-hosts in its \
         configuration"
    )]
    Misdirected(String),
}

impl HostError {
    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Missing | Self::Several(_) | Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
        }
    }
}

impl Hosts {
    /// Parses rules: `abide.example.com`, `*.example.com` for all names below it, `*` for any name.
    ///
    /// # Errors
    /// Returns an error if a rule is none of these.
    pub fn parse<'a>(rules: impl IntoIterator<Item = &'a str>) -> Result<Self, BadRule> {
        rules.into_iter().map(Rule::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Checks that a request is meant for this server. Everything in it that names a host has to
    /// agree: the target itself (`:authority` in HTTP/2) and the header.
    ///
    /// # Errors
    /// Returns an error if the request names another host, none, or more than one.
    pub fn check<B>(&self, request: &Request<B>) -> Result<(), HostError> {
        self.check_parts(request.uri(), request.version(), request.headers())
    }

    fn check_parts(
        &self,
        uri: &Uri,
        version: Version,
        headers: &HeaderMap,
    ) -> Result<(), HostError> {
        let mut named = headers.get_all(header::HOST).iter();
        let (first, more) = (named.next(), named.count());
        if more > 0 {
            return Err(HostError::Several(more + 1));
        }
        match (uri.authority(), first) {
            // Clients older than the header, such as load balancer probes. No browser is that old.
            (None, None) if version < Version::HTTP_11 => return Ok(()),
            (None, None) => return Err(HostError::Missing),
            _ => (),
        }
        if let Some(authority) = uri.authority() {
            self.check_name(authority)?;
        }
        let Some(host) = first else { return Ok(()) };
        let authority = Authority::try_from(host.as_bytes()).map_err(|_| HostError::Malformed)?;
        self.check_name(&authority)
    }

    fn check_name(&self, authority: &Authority) -> Result<(), HostError> {
        // The port is ours, or the request would not have arrived here.
        let host = authority.host();
        let port = authority.as_str().strip_prefix(host).unwrap_or("@");
        let is_port = |port: &str| {
            port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
        };
        let has_port = port.strip_prefix(':').is_some_and(is_port);
        let host = host.to_ascii_lowercase();
        if !(port.is_empty() || has_port) || !(is_address(&host) || is_name(&host)) {
            return Err(HostError::Malformed);
        }
        let is_ours = is_address(&host)
            || !host.contains('.')
            || is_local(&host)
            || self.0.iter().any(|rule| rule.allows(&host));
        if is_ours { Ok(()) } else { Err(HostError::Misdirected(host)) }
    }
}

/// Whether this is a valid name: labels of letters, digits, dashes and underscores, with an
/// optional trailing dot.
fn is_name(host: &str) -> bool {
    let is_of_label = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_of_label);
    host.strip_suffix('.').unwrap_or(host).split('.').all(is_label)
}

fn is_address(host: &str) -> bool {
    let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    v6.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok()) || host.parse::<Ipv4Addr>().is_ok()
}

/// Names below `localhost` also mean this machine (RFC 6761, section 6.3).
fn is_local(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host == LOCALHOST || host.strip_suffix(LOCALHOST).is_some_and(|rest| rest.ends_with('.'))
}

impl Rule {
    fn parse(text: &str) -> Result<Self, BadRule> {
        let text = text.trim().to_ascii_lowercase();
        if text == "*" {
            return Ok(Self::Any);
        }
        let name = text.strip_prefix("*.").unwrap_or(&text);
        if !is_name(name) || name.ends_with('.') {
            return Err(BadRule(text));
        }
        if text.starts_with('*') {
            Ok(Self::Below(format!(".{name}")))
        } else {
            Ok(Self::Name(text))
        }
    }

    fn allows(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        match self {
            Self::Any => true,
            Self::Below(suffix) => host.ends_with(suffix.as_str()),
            Self::Name(name) => host == name,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(rules: &[&str], hosts: &[&str], version: Version) -> Result<(), HostError> {
        let mut request = Request::new(());
        *request.version_mut() = version;
        for host in hosts {
            request.headers_mut().append(header::HOST, HeaderValue::from_str(host).unwrap());
        }
        Hosts::parse(rules.iter().copied()).unwrap().check(&request)
    }

    #[test]
    fn what_cannot_be_rebound_passes_and_another_name_does_not() {
        for host in [
            "127.0.0.1",
            "10.1.2.3:8080",
            "[::1]",
            "[::1]:8080",
            "localhost:9070",
            "LOCALHOST",
            "localhost.",
            "app.localhost:8080",
            "abide:8080",
        ] {
            assert_eq!(check(&[], &[host], Version::HTTP_11), Ok(()), "{host}");
        }
        for host in
            ["evil.example", "evil.example:8080", "127.0.0.1.nip.io", "127.1", "ai.", "xlocalhost."]
        {
            let refused = check(&[], &[host], Version::HTTP_11).unwrap_err();
            assert_eq!(refused.status(), StatusCode::MISDIRECTED_REQUEST, "{host}");
        }
    }

    #[test]
    fn names_are_allowed_by_a_setting() {
        let check = |rules, host| check(rules, &[host], Version::HTTP_11);
        assert_eq!(check(&["Abide.Example.com"], "abide.example.COM:8080"), Ok(()));
        assert_eq!(check(&["abide.example.com"], "abide.example.com."), Ok(()));
        assert_eq!(check(&["*.svc.cluster.local"], "abide.prod.svc.cluster.local"), Ok(()));
        assert_eq!(check(&["*"], "evil.example"), Ok(()));
        assert!(check(&["abide.example.com"], "x.abide.example.com").is_err());
        assert!(check(&["*.example.com"], "example.com").is_err());
        assert!(check(&["*.example.com"], "badexample.com").is_err());
        for bad in ["", "a b", "http://a", "a..b", "*.", "**", "a:80"] {
            assert!(Hosts::parse([bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_request_names_one_host() {
        let none: [&str; 0] = [];
        assert_eq!(check(&[], &none, Version::HTTP_11), Err(HostError::Missing));
        assert_eq!(check(&[], &none, Version::HTTP_10), Ok(()), "a load balancer's probe");
        assert_eq!(check(&[], &["a", "a"], Version::HTTP_11), Err(HostError::Several(2)));
        for bad in [
            "",
            "a b",
            "user@localhost",
            "localhost:",
            ":80",
            "[::1",
            "[::1].evil.example",
            "localhost:evil.example",
            "localhost:+80",
            "evil,localhost",
            "evil..localhost",
        ] {
            assert_eq!(check(&["*"], &[bad], Version::HTTP_11), Err(HostError::Malformed), "{bad}");
        }
    }

    #[test]
    fn the_target_itself_counts_as_much_as_the_header() {
        let hosts = Hosts::default();
        let request = |uri: &str, host: Option<&str>| {
            let mut request = Request::new(());
            *request.uri_mut() = uri.parse().unwrap();
            *request.version_mut() = Version::HTTP_2;
            let host = host.map(|host| HeaderValue::from_str(host).unwrap());
            host.map(|host| request.headers_mut().insert(header::HOST, host));
            hosts.check(&request).map_err(|error| error.status())
        };
        assert_eq!(request("http://localhost/a", None), Ok(()));
        let misdirected = Err(StatusCode::MISDIRECTED_REQUEST);
        assert_eq!(request("http://evil.example/a", None), misdirected);
        assert_eq!(request("http://evil.example/a", Some("localhost")), misdirected);
        assert_eq!(request("http://localhost/a", Some("evil.example")), misdirected);
        assert_eq!(request("/a", None), Err(StatusCode::BAD_REQUEST));
    }
}
