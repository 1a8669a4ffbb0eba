//! Who may ask, until there are roles: whoever reaches the address, but no page of another site.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{Admin, error::Refusal};

/// What browsers say of requests that another site's page makes.
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Refuses what is not meant for this server, and what other sites have browsers ask for.
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
