//! Alive, ready, and which version.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use runtime_partition::{PartitionHealth, health::STUCK_AFTER};
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

/// How the server stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Whether every partition does its work; if not, only a restart helps.
    pub live: bool,
    /// Whether new work is taken.
    pub ready: bool,
    /// What an operator should know, and what to do about it.
    pub warnings: Vec<String>,
}

impl Health {
    fn of(partitions: &[Option<PartitionHealth>]) -> Self {
        let mut health = Self { live: true, ready: true, warnings: Vec::new() };
        for (id, partition) in partitions.iter().enumerate() {
            match partition {
                Some(partition) => health.add(id, partition),
                None => {
                    (health.live, health.ready) = (false, false);
                    health.warnings.push(format!(
                        "partition {id} has not answered for {} s: restart the server",
                        STUCK_AFTER.as_secs()
                    ));
                }
            }
        }
        health
    }

    fn add(&mut self, id: usize, partition: &PartitionHealth) {
        if !partition.has_room {
            self.ready = false;
            self.warnings.push(format!(
                "partition {id}: the disk is nearly full, so new work is refused and running work \
                 waits; free some room, and both go on by themselves"
            ));
        }
    }
}

/// Alive: every partition does its work. The body says what an operator should know.
#[utoipa::path(
    get,
    path = "/health",
    responses((status = 200, body = Health), (status = 503, body = Health))
)]
pub async fn health(State(admin): State<Admin>) -> Response {
    let health = Health::of(&admin.partitions.health().await);
    let is_live = health.live;
    answer(health, is_live)
}

/// Ready: alive, and new work is taken.
#[utoipa::path(
    get,
    path = "/health/ready",
    responses((status = 200, body = Health), (status = 503, body = Health))
)]
pub async fn ready(State(admin): State<Admin>) -> Response {
    let health = Health::of(&admin.partitions.health().await);
    let is_ready = health.ready;
    answer(health, is_ready)
}

fn answer(health: Health, is_good: bool) -> Response {
    let status = if is_good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health)).into_response()
}

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
