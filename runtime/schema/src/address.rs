//! Where an endpoint answers: read once, when it is registered, and asked by path from then on.

/// What an address may not be longer than, in bytes: URLs beyond 8 KB are refused by most servers and
/// proxies, and the paths that are asked come on top.
pub const ADDRESS_BYTES_MAX: usize = 4096;

/// An address that no endpoint can be asked at. Each message goes on from the field's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Longer than an address may be.
    #[error(
        "'uri' has {0} bytes, more than the {ADDRESS_BYTES_MAX} that an address may have; register a \
         shorter one"
    )]
    TooLong(usize),
    /// Another scheme, or none.
    #[error(
        "'uri' is '{0}', which is not an absolute http:// or https:// address; write it as \
         http://host:port"
    )]
    Scheme(String),
    /// Credentials would be sent to nobody, and shown to everybody who lists deployments.
    #[error(
        "'uri' has a user or a password before its host, which is not sent; put it into \
         'additional_headers' as an authorization header"
    )]
    Userinfo,
    /// A fragment is for whoever shows a page.
    #[error("'uri' has a fragment ('#{0}'), which is never sent to a server; remove it")]
    Fragment(String),
    /// No host, or something that is none.
    #[error(
        "'uri' has the host '{0}', which is neither a name nor an IP address; write it as \
         http://host:port"
    )]
    Host(String),
    /// A port that does not exist.
    #[error("'uri' has the port '{0}', expected a number from 1 to 65535")]
    Port(String),
    /// Bytes that an address cannot have.
    #[error(
        "'uri' is '{uri}', which is not an address: {reason}; percent-encode what an address cannot have"
    )]
    Malformed {
        /// What was given.
        uri: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// An address in the one form in which it is stored and compared: scheme and host in lower case, no
/// default port, no slash at the end of the path, the query as it was given.
///
/// # Errors
/// When no endpoint can be asked at it.
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

/// The address of a path of the endpoint: behind its own path, and before its query.
pub fn at(address: &str, path: &str) -> String {
    let (base, query) = split_query(address);
    format!("{base}{path}{query}")
}

/// An address as the API shows it: the real server ends each with a slash.
pub fn shown(address: &str) -> String {
    at(address, "/")
}

/// The query has its question mark.
fn split_query(address: &str) -> (&str, &str) {
    address.split_at(address.find('?').unwrap_or(address.len()))
}

/// An IPv6 address has colons of its own, and brackets because of them.
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
    // RFC 1035: 253 bytes in all, 63 a label. The underscore is what container networks use.
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
