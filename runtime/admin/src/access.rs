//! Which requests are let in, until there are roles: those of anyone who can reach the address, but
//! none that a browser makes for another site's page.

use axum::{
    extract::{Request, State},
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
    let site = request.headers().get(SEC_FETCH_SITE);
    if site.is_some_and(|site| site == "cross-site") {
        return Refusal::CrossSite.into_response();
    }
    next.run(request).await
}
