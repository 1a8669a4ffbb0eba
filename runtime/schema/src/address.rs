//! The address of an endpoint: parsed once, at registration; requests only append a path to it.

/// Maximum length of an address in bytes: most servers and proxies refuse URLs beyond 8 KB, and the
/// paths of requests are appended to it.
pub const ADDRESS_BYTES_MAX: usize = 4096;

/// An address that cannot be used for an endpoint. Every message follows on from the field's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It exceeds [`ADDRESS_BYTES_MAX`].
    #[error(
        "'uri' has {0} bytes, more than the limit of {ADDRESS_BYTES_MAX}; register a \
         shorter one"
    )]
    TooLong(usize),
    /// It has no scheme, or one other than http and https.
    #[error(
        "'uri' is '{0}', which is not an absolute http:// or https:// address; write it as \
         http://host:port"
    )]
    Scheme(String),
    /// It contains credentials, which would never be sent, yet shown to everyone who lists
    /// deployments.
    #[error(
        "'uri' has a user name or password before its host, which would not be sent; put it into \
         'additional_headers' as an authorization header"
    )]
    Userinfo,
    /// It has a fragment, which only means something to a browser.
    #[error("'uri' has a fragment ('#{0}'), which is never sent to a server; remove it")]
    Fragment(String),
    /// The host is missing or invalid.
    #[error(
        "'uri' has the host '{0}', which is neither a name nor an IP address; write it as \
         http://host:port"
    )]
    Host(String),
    /// The port number is out of range.
    #[error("'uri' has the port '{0}', expected a number from 1 to 65535")]
    Port(String),
    /// It contains bytes that are not allowed in an address.
    #[error(
        "'uri' is '{uri}', which is not an address: {reason}; percent-encode characters that are not allowed"
    )]
    Malformed {
        /// The address as given.
        uri: String,
        /// The parser's error message.
        reason: String,
    },
}

/// Normalises an address to the form in which it is stored and compared: lower-case scheme and
/// host, no default port, no trailing slash on the path, the query unchanged.
///
/// # Errors
/// Returns an error if the address cannot be used for an endpoint.
pub fn normalise(uri: &str) -> Result<String, AddressError> {
    if uri.len() > ADDRESS_BYTES_MAX {
        return Err(AddressError::TooLong(uri.len()));
    }
    let not_absolute = || AddressError::Scheme(uri.to_owned());
    let (scheme, rest) = uri.split_once("://").ok_or_else(not_absolute)?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return Err(not_absolute()),
    };
    if let Some((_, fragment)) = rest.split_once('#') {
        return Err(AddressError::Fragment(fragment.to_owned()));
    }
    let (authority, path_and_query) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(AddressError::Userinfo);
    }
    let (host, port) = split_port(authority);
    let host = host.to_ascii_lowercase();
    if !is_host(&host) {
        return Err(AddressError::Host(host));
    }
    let port = match port {
        None => default_port,
        Some(port) => match port.parse::<u16>() {
            Ok(number) if number > 0 && !port.starts_with('+') => number,
            Ok(_) | Err(_) => return Err(AddressError::Port(port.to_owned())),
        },
    };
    let port = if port == default_port { String::new() } else { format!(":{port}") };
    let (path, query) = split_query(path_and_query);
    let path = path.trim_end_matches('/');
    let normal = format!("{scheme}://{host}{port}{path}{query}");
    let malformed = |error: http::uri::InvalidUri| AddressError::Malformed {
        uri: uri.to_owned(),
        reason: error.to_string(),
    };
    at(&normal, "/").parse::<http::Uri>().map_err(malformed)?;
    Ok(normal)
}

/// The URL of a path on the endpoint: after the address's own path, before its query.
pub fn at(address: &str, path: &str) -> String {
    let (base, query) = split_query(address);
    format!("{base}{path}{query}")
}

/// The address as the API shows it: with a trailing slash, like the real server's.
pub fn shown(address: &str) -> String {
    at(address, "/")
}

/// Splits off the query, which includes its question mark.
fn split_query(address: &str) -> (&str, &str) {
    address.split_at(address.find('?').unwrap_or(address.len()))
}

/// Splits off the port; the colons of an IPv6 address are in brackets.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    let after_host = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    match authority[after_host..].find(':') {
        None => (authority, None),
        Some(colon) => {
            (&authority[..after_host + colon], Some(&authority[after_host + colon + 1..]))
        }
    }
}

fn is_host(host: &str) -> bool {
    if let Some(bracketed) = host.strip_prefix('[') {
        let address = bracketed.strip_suffix(']');
        return address.is_some_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
    }
    let looks_numeric = host.chars().all(|c| c.is_ascii_digit() || c == '.');
    if looks_numeric {
        return host.parse::<std::net::Ipv4Addr>().is_ok();
    }
    // RFC 1035: 253 bytes in total, 63 per label. Container networks use underscores.
    let is_label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len()) && label.chars().all(inner)
    };
    host.len() <= 253 && host.trim_end_matches('.').split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_endpoint_has_one_form() {
        for (given, stored) in [
            ("http://127.0.0.1:9080", "http://127.0.0.1:9080"),
            ("http://127.0.0.1:9080///", "http://127.0.0.1:9080"),
            ("HTTP://Example.ORG:80/A/", "http://example.org/A"),
            ("https://h:443?x=/", "https://h?x=/"),
            ("http://[::1]:9080/p/?x=1&y", "http://[::1]:9080/p?x=1&y"),
            ("http://my_service.ns.svc.cluster.local.", "http://my_service.ns.svc.cluster.local."),
        ] {
            assert_eq!(normalise(given).as_deref(), Ok(stored), "{given}");
            assert_eq!(normalise(stored).as_deref(), Ok(stored), "{given}");
        }
    }

    #[test]
    fn the_query_stays_behind_what_is_asked() {
        let address = normalise("http://h/p?x=1").unwrap();
        assert_eq!(at(&address, "/discover"), "http://h/p/discover?x=1");
        assert_eq!(at(&address, "/invoke/S/h"), "http://h/p/invoke/S/h?x=1");
        assert_eq!(shown("http://h?x=1"), "http://h/?x=1");
        assert_eq!(shown("http://h/p"), "http://h/p/");
    }

    #[test]
    fn what_nobody_can_be_asked_at_is_refused_by_what_is_wrong_with_it() {
        use AddressError::{Fragment, Host, Malformed, Port, Scheme, TooLong, Userinfo};
        let long = format!("http://h/{}", "x".repeat(ADDRESS_BYTES_MAX));
        let refused = |uri: &str| normalise(uri).unwrap_err();
        for uri in ["h:9080", "/h", "", "ftp://h", "unix://h", "http:/h"] {
            assert!(matches!(refused(uri), Scheme(_)), "{uri}");
        }
        for uri in ["http://h:99999", "http://h:0", "http://h:", "http://h:x", "http://h:+80"] {
            assert!(matches!(refused(uri), Port(_)), "{uri}: {:?}", refused(uri));
        }
        for uri in [
            "http://",
            "http:///p",
            "http://?x",
            "http://:80",
            "http://a..b",
            "http://a b",
            "http://[::1",
            "http://[x]",
            "http://1.2.3.400",
            "http://1.2.3",
            "http://-%41",
        ] {
            assert!(matches!(refused(uri), Host(_)), "{uri}: {:?}", refused(uri));
        }
        assert!(matches!(refused("http://h/p#f"), Fragment(f) if f == "f"));
        assert!(matches!(refused("http://u:p@h"), Userinfo));
        assert!(matches!(refused("http://h/a b"), Malformed { .. }));
        assert!(matches!(refused(&long), TooLong(_)));
    }
}
