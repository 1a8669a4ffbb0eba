//! Liveness, readiness and version.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use runtime_partition::{
    PartitionHealth,
    health::{OverBudget, STUCK_AFTER},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Admin, extract::Json, versions};

/// The version of this server, and where its ingress is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Version {
    /// Version of the software.
    pub version: &'static str,
    /// Oldest version of this API that is supported.
    pub min_admin_api_version: u32,
    /// Newest version of this API that is supported.
    pub max_admin_api_version: u32,
    /// Address of the ingress.
    pub ingress_endpoint: String,
    /// Experimental features that can be enabled, by name. Currently empty.
    pub features: BTreeMap<String, bool>,
}

/// The health of the server.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Whether every partition is working. If not, only a restart helps.
    pub live: bool,
    /// Whether new work is accepted.
    pub ready: bool,
    /// What an operator should know, and what to do about it.
    pub warnings: Vec<String>,
    /// The partitions that have responded.
    pub partitions: Vec<PartitionTables>,
}

/// The table file of a partition.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartitionTables {
    /// The partition's number.
    pub partition: usize,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// Estimated share of the file that is free, from 0 to 1.
    pub free_share: Option<f64>,
}

impl Health {
    fn of(partitions: &[Option<PartitionHealth>]) -> Self {
        let mut health =
            Self { live: true, ready: true, warnings: Vec::new(), partitions: Vec::new() };
        for (id, partition) in partitions.iter().enumerate() {
            match partition {
                Some(partition) => health.add(id, partition),
                None => {
                    (health.live, health.ready) = (false, false);
                    health.warnings.push(format!(
                        "partition {id} has not answered for {} s: restart the node",
                        STUCK_AFTER.as_secs()
                    ));
                }
            }
        }
        health
    }

    fn add(&mut self, id: usize, partition: &PartitionHealth) {
        self.partitions.push(PartitionTables {
            partition: id,
            bytes: partition.tables_bytes,
            free_share: partition.tables_free_share,
        });
        if !partition.has_room {
            self.ready = false;
            self.warnings.push(format!(
                "partition {id}: the disk is nearly full, so new work is refused and running work \
                 waits; free some space, and both resume by themselves"
            ));
        }
        if let Some(stuck_ms) = partition.log_stuck_ms {
            self.ready = false;
            self.warnings.push(format!(
                "partition {id}: the log's disk has not finished a write for {} s, and nothing is \
                 acknowledged until it does: check the disk",
                stuck_ms / 1000
            ));
        }
        if let Some(stuck_ms) = partition.checkpoint_stuck_ms {
            self.ready = false;
            self.warnings.push(format!(
                "partition {id}: work has waited for {} s for a checkpoint of the tables: check their \
                 disk, or raise overlay-bytes-max",
                stuck_ms / 1000
            ));
        }
        if let Some(OverBudget { retained_bytes, budget_bytes }) = partition.promised_over_budget {
            self.warnings.push(format!(
                "partition {id}: results retained for idempotency keys and workflows take \
                 {retained_bytes} bytes, more than the retention budget of {budget_bytes}; they are \
                 kept: raise retention-budget-bytes, or shorten their retention"
            ));
        }
    }
}

/// Liveness: every partition is working. The body has warnings for the operator.
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

/// Readiness: the server is alive and accepts new work.
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

/// Returns the version of the server and of the API.
#[utoipa::path(get, path = "/version", responses((status = 200, body = Version)))]
pub async fn version(State(admin): State<Admin>) -> Json<Version> {
    Json(Version {
        version: admin.version,
        min_admin_api_version: versions::MIN,
        max_admin_api_version: versions::MAX,
        ingress_endpoint: admin.ingress_url,
        features: BTreeMap::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition() -> PartitionHealth {
        PartitionHealth {
            has_room: true,
            log_stuck_ms: None,
            checkpoint_stuck_ms: None,
            promised_over_budget: None,
            tables_bytes: 1000,
            tables_free_share: Some(0.25),
        }
    }

    #[test]
    fn what_is_well_says_nothing() {
        let health = Health::of(&[Some(partition()), Some(partition())]);
        assert!(health.live && health.ready && health.warnings.is_empty());
        assert_eq!(health.partitions[1].bytes, 1000);
    }

    #[test]
    fn a_partition_that_does_not_answer_is_not_alive() {
        let health = Health::of(&[Some(partition()), None]);
        assert!(!health.live && !health.ready);
        assert!(health.warnings[0].starts_with("partition 1 has not answered"), "{health:?}");
    }

    #[test]
    fn a_nearly_full_disk_is_alive_and_not_ready() {
        let health = Health::of(&[Some(PartitionHealth { has_room: false, ..partition() })]);
        assert!(health.live && !health.ready);
        assert!(health.warnings[0].contains("the disk is nearly full"), "{health:?}");
    }

    #[test]
    fn a_disk_that_hangs_is_alive_and_not_ready() {
        let log = PartitionHealth { log_stuck_ms: Some(21_500), ..partition() };
        let tables = PartitionHealth { checkpoint_stuck_ms: Some(12_000), ..partition() };
        for (partition, says) in [(log, "a write for 21 s"), (tables, "waited for 12 s")] {
            let health = Health::of(&[Some(partition)]);
            assert!(health.live && !health.ready);
            assert!(health.warnings[0].contains(says), "{health:?}");
        }
    }

    #[test]
    fn promises_beyond_the_budget_are_a_warning_and_no_fault() {
        let over = OverBudget { retained_bytes: 9000, budget_bytes: 5000 };
        let partition = PartitionHealth { promised_over_budget: Some(over), ..partition() };
        let health = Health::of(&[Some(partition)]);
        assert!(health.live && health.ready);
        assert!(health.warnings[0].contains("9000 bytes, more than the retention budget of 5000"));
    }
}
