//! Alive, and which version.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Admin;

/// What this server is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Version {
    /// Version of the software.
    pub version: &'static str,
    /// Oldest version of this API that it speaks.
    pub min_admin_api_version: u32,
    /// Newest version of this API that it speaks.
    pub max_admin_api_version: u32,
    /// Where clients reach the ingress.
    pub ingress_endpoint: String,
}

/// Alive: recovery is over and the partitions take records.
#[utoipa::path(get, path = "/health", responses((status = 200, description = "serving")))]
pub async fn health() {}

/// Which version of what.
#[utoipa::path(get, path = "/version", responses((status = 200, body = Version)))]
pub async fn version(State(admin): State<Admin>) -> Json<Version> {
    Json(Version {
        version: admin.version,
        min_admin_api_version: 3,
        max_admin_api_version: 4,
        ingress_endpoint: admin.ingress_url,
    })
}
