//! Which requests are let in, until there are roles: those of anyone who can reach the address, but
//! none that a browser makes for another site's page.

use axum::{
    extract::{Request, State},
    http::{HeaderValue, Uri, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{Admin, error::Refusal};

/// The header by which browsers mark requests from another site's page.
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Refuses requests that are not meant for this server, and those from pages of other sites.
pub(crate) async fn check(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    if let Err(error) = admin.hosts.check(&request) {
        return Refusal::Host(error).into_response();
    }
    if is_cross_site(&request) {
        return Refusal::CrossSite.into_response();
    }
    next.run(request).await
}

/// Whether a browser sends this for a page of another site. Browsers say so themselves to servers
/// that they reach by HTTPS or on the local machine. To all others they only send the page's
/// origin, with everything but plain GETs, which change nothing here.
fn is_cross_site<B>(request: &Request<B>) -> bool {
    match request.headers().get(SEC_FETCH_SITE) {
        Some(site) => site == "cross-site",
        None => {
            let host = host(request);
            let is_other = |origin| host.is_none() || host_of(origin) != host;
            request.headers().get_all(header::ORIGIN).iter().any(is_other)
        }
    }
}

/// The host that a request is for. A page of the same host on another port is of the same site.
fn host<B>(request: &Request<B>) -> Option<String> {
    let named = || Authority::try_from(request.headers().get(header::HOST)?.as_bytes()).ok();
    let authority = request.uri().authority().cloned().or_else(named)?;
    Some(authority.host().to_ascii_lowercase())
}

/// The host of an origin; `None` if it has none, like that of a sandboxed page.
fn host_of(origin: &HeaderValue) -> Option<String> {
    let origin = Uri::try_from(origin.as_bytes()).ok()?;
    Some(origin.host()?.to_ascii_lowercase()).filter(|_| origin.scheme().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let request = Request::post("/backups").header("host", "Abide.internal:9070");
        let with = |request: axum::http::request::Builder, (name, value): &(&str, &str)| {
            request.header(*name, *value)
        };
        headers.iter().fold(request, with).body(()).unwrap()
    }

    #[test]
    fn a_browser_says_for_which_site_it_asks() {
        for headers in [
            &[][..],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://abide.example.com")],
            &[("origin", "http://abide.internal:9070")],
            &[("origin", "http://ABIDE.internal:5173")],
        ] {
            assert!(!is_cross_site(&request(headers)), "{headers:?}");
        }
        for headers in [
            &[("sec-fetch-site", "cross-site"), ("origin", "http://abide.internal:9070")][..],
            &[("origin", "http://evil.com")],
            &[("origin", "http://abide.internal.evil.com:9070")],
            &[("origin", "http://evil.com:9070/abide.internal:9070")],
            &[("origin", "http://abide.internal:9070"), ("origin", "http://evil.com")],
            &[("origin", "abide.internal:9070")],
            &[("origin", "null")],
            &[("origin", "")],
        ] {
            assert!(is_cross_site(&request(headers)), "{headers:?}");
        }
    }

    #[test]
    fn the_target_of_a_request_counts_before_its_header() {
        let mut request = request(&[("origin", "http://10.0.0.7:9070")]);
        assert!(is_cross_site(&request));
        *request.uri_mut() = "http://10.0.0.7:9070/backups".parse().unwrap();
        assert!(!is_cross_site(&request));
        request.headers_mut().remove(header::HOST);
        *request.uri_mut() = "/backups".parse().unwrap();
        assert!(is_cross_site(&request), "nobody knows what it is for");
    }
}
