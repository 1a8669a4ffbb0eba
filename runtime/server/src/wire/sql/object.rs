//! Virtual objects and workflows.

use protocol::PartitionKey;
use runtime_views::{
    inbox, object,
    page::Within,
    promise::{self, State as PromiseState},
    state,
};
use sql_introspection::{
    Scan, Unavailable,
    source::{Cursor, Page, PageLimit, Wanted},
    tables::{InvocationEntry, Lock, Promise, State},
};

use super::{Snapshot, budget, cursor, nothing, page};

impl Scan<State> for Snapshot {
    fn scan(
        &self,
        partition: u16,
        wanted: &Wanted<State>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<State>, Unavailable> {
        let Some(within) = self.within(&wanted.filter) else { return Ok(nothing()) };
        let list = state::List { within, after: cursor(after), budget: budget(limit) };
        Ok(page(self.read(partition, list)?, |entry| State {
            partition_key: PartitionKey::of_key(&entry.key).0,
            alias: self.alias(&entry.service),
            service: entry.service,
            object_key: entry.key,
            key: entry.state_key,
            value: entry.value,
        }))
    }
}

impl Scan<Lock> for Snapshot {
    fn scan(
        &self,
        partition: u16,
        wanted: &Wanted<Lock>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<Lock>, Unavailable> {
        let lock = |it: object::Lock| Lock {
            partition_key: it.holder.partition_key.0,
            service: it.service,
            key: it.key,
            holder: it.holder.to_string(),
            queued: it.queued,
        };
        let service = match self.within(&wanted.filter) {
            None => return Ok(nothing()),
            Some(Within::All) => None,
            Some(Within::Service(service)) => Some(service),
            Some(Within::Key { service, key }) => {
                let found = self.read(partition, object::One { service, key })?;
                return Ok(Page {
                    counts: None,
                    records: found.map(lock).into_iter().collect(),
                    rest_after: None,
                });
            }
        };
        let list = object::List { service, after: cursor(after), budget: budget(limit) };
        Ok(page(self.read(partition, list)?, lock))
    }
}

impl Scan<InvocationEntry> for Snapshot {
    fn scan(
        &self,
        partition: u16,
        wanted: &Wanted<InvocationEntry>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<InvocationEntry>, Unavailable> {
        let Some(within) = self.within(&wanted.filter) else { return Ok(nothing()) };
        let list = inbox::List { within, after: cursor(after), budget: budget(limit) };
        Ok(page(self.read(partition, list)?, |entry| InvocationEntry {
            partition_key: entry.invocation.partition_key.0,
            service: entry.service,
            key: entry.key,
            invocation: entry.invocation.to_string(),
            place: entry.place.0,
            since: entry.since.0,
        }))
    }
}

impl Scan<Promise> for Snapshot {
    fn scan(
        &self,
        partition: u16,
        wanted: &Wanted<Promise>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<Promise>, Unavailable> {
        let Some(within) = self.within(&wanted.filter) else { return Ok(nothing()) };
        let list = promise::List { within, after: cursor(after), budget: budget(limit) };
        Ok(page(self.read(partition, list)?, |it| {
            let (result, waiting) = match it.state {
                PromiseState::Pending { waiting } => (None, waiting),
                PromiseState::Completed(result) => {
                    (Some(result.map_err(|failure| failure.to_string())), 0)
                }
            };
            Promise {
                partition_key: PartitionKey::of_key(&it.key).0,
                service: it.workflow,
                service_key: it.key,
                key: it.name,
                result,
                waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
            }
        }))
    }
}
