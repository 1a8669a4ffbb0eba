//! Records for SQL, read from snapshots of all partitions.

mod attempt;
mod audit;
mod event;
mod invocation;
mod journal;
mod object;
mod registry;
mod snapshots;
mod waiting;
mod why;

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::{InvocationId, PartitionKey};
use runtime_core::{
    Lsn, Partition, PartitionId,
    model::{
        ids::AttemptRef,
        invocation::{Invocation, Status},
    },
    registry::{RegistrySnapshot, Service},
    tables::Order,
};
use runtime_views::{
    View,
    page::{Budget, Cursor, Page, Within},
};
use sql_introspection::{
    Rows, Unavailable,
    source::{self, Direction, PageLimit},
    tables::ObjectFilter,
};

use snapshots::Held;
pub(crate) use snapshots::Snapshots;
pub(crate) use why::Following;

/// Name of the service metadata that holds its alias.
const ALIAS: &str = "alias";

/// The aliases of services, by name.
fn aliases(registry: &RegistrySnapshot) -> BTreeMap<String, String> {
    let services = registry.services_after(None);
    let alias = |(name, known): (&str, &Service)| {
        let metadata = &known.definition().metadata;
        let (_, alias) = metadata.iter().find(|(key, _)| key == ALIAS)?;
        Some((name.to_owned(), alias.clone()))
    };
    services.filter_map(alias).collect()
}

/// All rows of one moment. What runs where is asked when it is shown.
struct Snapshot {
    count: u16,
    held: Arc<Held>,
    registry: Arc<RegistrySnapshot>,
    aliases: BTreeMap<String, String>,
    following: Arc<Following>,
}

impl Rows for Snapshot {
    fn partitions(&self) -> u16 {
        self.count
    }
}

impl Snapshot {
    fn read<V: View>(&self, partition: u16, view: V) -> Result<V::Output, Unavailable> {
        Ok(self.held.rows()?[usize::from(partition)].read(view))
    }

    /// Whether a partition owns a key.
    fn is_of(&self, partition: u16, key: PartitionKey) -> bool {
        Partition::owner(self.count, key) == PartitionId(partition)
    }

    /// The invocations among `ids` that a partition owns; `None` if all are wanted.
    fn ids(&self, partition: u16, ids: Option<&Vec<String>>) -> Option<Vec<InvocationId>> {
        let ids = ids?.iter().filter_map(|id| id.parse::<InvocationId>().ok());
        Some(ids.filter(|id| self.is_of(partition, id.partition_key)).collect())
    }

    fn alias(&self, service: &str) -> Option<String> {
        self.aliases.get(service).cloned()
    }

    /// The deployment of the attempt under way, or the one that an invocation is pinned to.
    fn last_deployment(&self, partition: u16, created: Lsn, row: &Invocation) -> Option<String> {
        let under_way = match row.status {
            Status::Running { attempt } => {
                let attempt = AttemptRef { invocation: created, attempt };
                self.following.attempts.deployment(PartitionId(partition), attempt)
            }
            Status::Waiting(_) | Status::Paused | Status::Completed { .. } => None,
        };
        under_way.or_else(|| Some(row.pin?.deployment)).map(|id| id.to_string())
    }

    /// The objects that a filter leaves; `None` if it leaves none.
    fn within(&self, filter: &ObjectFilter) -> Option<Within> {
        let mut services = filter.services.clone();
        if let Some(aliases) = &filter.aliases {
            // A name that is nobody's alias is that of a service without one.
            let names = aliases.iter().flat_map(|alias| {
                let named = self.aliases.iter().filter(move |(_, known)| *known == alias);
                named.map(|(name, _)| name.clone()).chain([alias.clone()])
            });
            let names: Vec<String> = names.collect();
            services = Some(match services {
                Some(services) => services.into_iter().filter(|it| names.contains(it)).collect(),
                None => names,
            });
        }
        within(services.as_deref(), filter.keys.as_deref())
    }
}

/// The objects of some services with some keys, as far as a single range of rows can say it; `None`
/// if there are none.
fn within(services: Option<&[String]>, keys: Option<&[String]>) -> Option<Within> {
    match (services, keys) {
        (Some([]), _) | (_, Some([])) => None,
        (Some([service]), Some([key])) => {
            Some(Within::Key { service: service.clone(), key: key.clone() })
        }
        (Some([service]), _) => Some(Within::Service(service.clone())),
        (Some(_) | None, _) => Some(Within::All),
    }
}

/// Reads what belongs to each of some invocations in turn. The cursor says which of them comes next,
/// and where in what belongs to it.
fn of_each<R>(
    ids: &[InvocationId],
    after: Option<&source::Cursor>,
    read: impl FnOnce(InvocationId, Option<Cursor>) -> Result<source::Page<R>, Unavailable>,
) -> Result<source::Page<R>, Unavailable> {
    let (at, inside) =
        after.and_then(|cursor| cursor.0.split_once('/')).map_or((0, None), |(at, inside)| {
            (at.parse::<usize>().unwrap_or(0), Cursor::parse(inside))
        });
    let Some(id) = ids.get(at) else { return Ok(nothing()) };
    let found = read(*id, inside)?;
    let rest_after = match found.rest_after {
        Some(inside) => Some(source::Cursor(format!("{at}/{}", inside.0))),
        None if at + 1 < ids.len() => Some(source::Cursor(format!("{}/", at + 1))),
        None => None,
    };
    Ok(source::Page { rest_after, ..found })
}

fn order(direction: Direction) -> Order {
    match direction {
        Direction::Ascending => Order::Ascending,
        Direction::Descending => Order::Descending,
    }
}

fn budget(limit: PageLimit) -> Budget {
    Budget { rows_max: limit.rows_max, bytes_max: limit.bytes_max }
}

fn cursor(after: Option<&source::Cursor>) -> Option<Cursor> {
    after.and_then(|cursor| Cursor::parse(&cursor.0))
}

fn nothing<R>() -> source::Page<R> {
    source::Page { records: Vec::new(), counts: None, rest_after: None }
}

fn page<T, R>(found: Page<T>, record: impl FnMut(T) -> R) -> source::Page<R> {
    source::Page {
        records: found.rows.into_iter().map(record).collect(),
        counts: None,
        rest_after: found.rest_after.map(|cursor| source::Cursor(cursor.to_string())),
    }
}
