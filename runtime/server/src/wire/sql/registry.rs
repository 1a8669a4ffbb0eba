//! Deployments and services.

use protocol::DeploymentId;
use runtime_core::model::invocation::StatusKind;
use runtime_schema::address;
use runtime_views::{
    deployment::{self, Drain, Usage, UsageOf},
    page::Budget,
    service,
};
use sql_introspection::{
    Scan, Unavailable,
    source::{Cursor, Page, PageLimit, Wanted},
    tables::{Deployment, PinnedCounts, Service},
};

use super::{Snapshot, budget, invocation::service_kind};

impl Scan<Deployment> for Snapshot {
    fn scan(
        &self,
        _: u16,
        _: &Wanted<Deployment>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<Deployment>, Unavailable> {
        let after = after.and_then(|cursor| cursor.0.parse().ok());
        let found = deployment::List { after, budget: budget(limit) }.read(&self.registry);
        let records = found.rows.into_iter().map(|it| {
            let usage = self.usage_of(it.id)?;
            Ok(Deployment {
                id: it.id.to_string(),
                endpoint: address::shown(&it.uri),
                created_at: it.created_at.0,
                protocol_range: it.protocol_range,
                services: it.services.into_iter().map(|service| service.name).collect(),
                sdk: it.sdk,
                status: self.drain(it.id, usage.unfinished()),
                pinned: counts(&usage),
            })
        });
        let records = records.collect::<Result<_, Unavailable>>()?;
        let rest_after = found.rest_after.map(|id| Cursor(id.to_string()));
        Ok(Page { records, counts: None, rest_after })
    }
}

impl Snapshot {
    /// The invocations that are pinned to a deployment: a row per service and partition.
    fn usage_of(&self, deployment: DeploymentId) -> Result<Usage, Unavailable> {
        let mut usage = Usage::default();
        // There are no more services in a deployment than fit into memory.
        let budget = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };
        for partition in 0..self.count {
            let found = self.read(partition, UsageOf { deployment, after: None, budget })?;
            found.rows.into_iter().for_each(|(service, tally)| usage.add(service, tally));
        }
        Ok(usage)
    }

    fn drain(&self, deployment: DeploymentId, unfinished: u64) -> &'static str {
        let stored = self.registry.deployment(deployment);
        let drain = stored.map(|stored| Drain::of(&self.registry, stored, unfinished));
        drain.unwrap_or(Drain::Drained).name()
    }
}

fn counts(usage: &Usage) -> PinnedCounts {
    let by_status = usage.by_status();
    let count = |status| by_status.get(&status).copied().unwrap_or(0);
    PinnedCounts {
        unfinished: usage.unfinished(),
        running: count(StatusKind::Running),
        backing_off: count(StatusKind::BackingOff),
        suspended: count(StatusKind::Suspended),
        paused: count(StatusKind::Paused),
        completed: count(StatusKind::Completed),
    }
}

impl Scan<Service> for Snapshot {
    fn scan(
        &self,
        _: u16,
        _: &Wanted<Service>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<Service>, Unavailable> {
        let after = after.map(|cursor| cursor.0.clone());
        let found = service::List { after, budget: budget(limit) }.read(&self.registry);
        let records = found.rows.into_iter().map(|it| Service {
            alias: self.alias(&it.name),
            name: it.name,
            revision: it.revision,
            is_public: it.is_public,
            kind: service_kind(it.kind),
            deployment: it.deployment.to_string(),
            handlers: it.handlers.into_iter().map(|handler| handler.name).collect(),
        });
        Ok(Page {
            records: records.collect(),
            counts: None,
            rest_after: found.rest_after.map(Cursor),
        })
    }
}
