//! Which invocations need a deployment: counted per partition, so reading them costs a row per service
//! and never a scan.

use std::collections::BTreeMap;

use protocol::DeploymentId;
use runtime_core::{
    PartitionId,
    model::{invocation::StatusKind, registry_change::Stranded},
};
use runtime_partition::Stopped;
use runtime_views::{
    deployment::{Usage, UsageOf},
    page::Budget,
    text,
};

use crate::Admin;

/// How much to read in one turn of a partition.
const TURN: Budget = Budget { rows_max: 64, bytes_max: 64 << 10 };

/// The invocations that are pinned to a deployment.
///
/// # Errors
/// Returns an error if the node is stopping.
pub(crate) async fn of(admin: &Admin, deployment: DeploymentId) -> Result<Usage, Stopped> {
    let mut usage = Usage::default();
    for partition in (0..admin.partitions.count()).map(PartitionId) {
        let mut after = None;
        loop {
            let page = UsageOf { deployment, after, budget: TURN };
            let page = admin.partitions.read(partition, page).await?;
            page.rows.into_iter().for_each(|(service, tally)| usage.add(service, tally));
            after = page.rest_after;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(usage)
}

/// Counts by service and by the name of the status.
pub(crate) fn by_name(usage: &Usage) -> BTreeMap<String, BTreeMap<&'static str, u64>> {
    let services = usage.by_service().iter();
    services.map(|(service, counts)| (service.clone(), named(counts).collect())).collect()
}

/// What a removal of the deployment leaves behind.
pub(crate) fn stranded(usage: &Usage) -> Vec<Stranded> {
    let unfinished = usage.without_ended();
    let services = unfinished.by_service().iter().flat_map(|(service, counts)| {
        let of = |(status, count): (&StatusKind, &u64)| Stranded {
            service: service.clone(),
            status: *status,
            count: *count,
        };
        counts.iter().map(of)
    });
    services.filter(|stranded| stranded.count > 0).collect()
}

/// How many have not ended, in words: `3 (1 running, 2 suspended)`.
pub(crate) fn words(usage: &Usage) -> String {
    let counts = usage.without_ended().by_status();
    let parts: Vec<_> = named(&counts).map(|(status, count)| format!("{count} {status}")).collect();
    format!("{} ({})", counts.values().sum::<u64>(), parts.join(", "))
}

fn named(counts: &BTreeMap<StatusKind, u64>) -> impl Iterator<Item = (&'static str, u64)> {
    counts.iter().map(|(status, count)| (text::status(*status), *count))
}
