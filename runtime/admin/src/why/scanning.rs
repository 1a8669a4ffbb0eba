//! Looks through the invocations of a service, a key or a deployment that have not ended, up to a
//! limit, and groups them by what they wait for.

use runtime_core::{PartitionId, model::invocation::StatusKind, tables::Order};
use runtime_views::{
    invocation::{Detail, Filter, Select, Selected},
    page::{Budget, Within},
    why::{
        AttemptState, Surroundings,
        groups::{Glance, Groups, Scope, Seen},
    },
};

use super::reading::confirmed;
use crate::{Admin, error::Refusal};

/// How many invocations are looked at for one request, in all partitions together.
const READ_MAX: usize = 10_000;
/// How many rows a partition reads in one turn, as for a list.
const TURN: Budget = Budget { rows_max: 64, bytes_max: 4 << 20 };
/// The same of tallies, which take a few bytes each.
const TALLY_TURN: Budget = Budget { rows_max: 1024, bytes_max: 1 << 20 };

/// What was found.
pub(super) struct Scanned {
    pub(super) groups: Groups,
    /// Whether all of them were looked at.
    pub(super) is_complete: bool,
    /// How many invocations were looked at.
    pub(super) read: usize,
}

impl Scanned {
    /// Whether nothing of that name has been found, though all was looked at.
    pub(super) fn is_nothing(&self) -> bool {
        self.groups.0.is_empty() && self.is_complete
    }
}

/// Looks through the invocations of a scope.
pub(super) async fn scan(
    admin: &Admin,
    around: &Surroundings,
    scope: &Scope,
) -> Result<Scanned, Refusal> {
    let mut scan = Scan {
        admin,
        around,
        scope,
        found: Scanned { groups: Groups::default(), is_complete: true, read: 0 },
    };
    let partitions = admin.partitions.count();
    for partition in (0..partitions).map(PartitionId) {
        // Each partition gets its part of what the ones before it have left.
        let left = READ_MAX.saturating_sub(scan.found.read);
        let part = left.div_ceil(usize::from(partitions - partition.0));
        let filters = filters(admin, partition, scope).await?;
        for filter in filters {
            scan.look(partition, filter, part).await?;
        }
    }
    Ok(scan.found)
}

struct Scan<'a> {
    admin: &'a Admin,
    around: &'a Surroundings,
    scope: &'a Scope,
    found: Scanned,
}

impl Scan<'_> {
    /// Reads the invocations that a filter selects, up to `read_max` of them.
    async fn look(
        &mut self,
        partition: PartitionId,
        filter: Filter,
        read_max: usize,
    ) -> Result<(), Refusal> {
        let (mut after, mut left) = (None, read_max);
        // By status, the oldest come first; otherwise the order of an index is good enough.
        let order = filter.statuses.is_some().then_some(Order::Ascending);
        // Those that are pinned to a deployment are found by its index.
        let only_unpinned =
            matches!(self.scope, Scope::Deployment(_)) && filter.deployment.is_none();
        while left > 0 {
            let rows_max = TURN.rows_max.min(left);
            let select = Select {
                filter: filter.clone(),
                detail: Detail::Row,
                order,
                after,
                budget: Budget { rows_max, ..TURN },
            };
            let (page, read) = self.admin.partitions.read(partition, Glance { select }).await?;
            left = left.saturating_sub(read.max(1));
            self.found.read += read;
            let wanted = page.rows.into_iter().filter(|seen| {
                let is_in = seen.is_in(self.scope, &self.around.registry);
                is_in && !(only_unpinned && seen.is_pinned())
            });
            let wanted: Vec<Seen> = wanted.collect();
            self.add(partition, wanted).await?;
            after = page.rest_after;
            if after.is_none() {
                return Ok(());
            }
        }
        self.found.is_complete = false;
        Ok(())
    }

    /// Adds invocations to their groups. Those whose attempt has no permit are read again before
    /// that is said of them, since it may have ended in between.
    async fn add(&mut self, partition: PartitionId, all: Vec<Seen>) -> Result<(), Refusal> {
        let registry = &self.around.registry;
        let mut doubtful = Vec::new();
        for seen in all {
            let state = seen.attempt().map(|it| self.admin.attempts.state(partition, it));
            match state {
                Some(state @ AttemptState::NotStarted { .. }) => doubtful.push((seen, state)),
                Some(AttemptState::UnderWay { .. }) | None => {
                    self.found.groups.add(seen.kind(registry, state), &seen);
                }
            }
        }
        if doubtful.is_empty() {
            return Ok(());
        }
        let ids = doubtful.iter().map(|(seen, _)| seen.id).collect();
        let select = Select {
            filter: Filter { ids: Some(ids), ..Filter::ALL },
            detail: Detail::Row,
            order: None,
            after: None,
            budget: TURN,
        };
        let (again, _) = self.admin.partitions.read(partition, Glance { select }).await?;
        for now in again.rows {
            let before = doubtful.iter().find(|(seen, _)| seen.id == now.id);
            let state = before
                .filter(|(seen, _)| seen.attempt() == now.attempt())
                .map(|(_, state)| confirmed(*state));
            self.found.groups.add(now.kind(registry, state), &now);
        }
        Ok(())
    }
}

/// The selections that find all invocations of a scope which have not ended, and few others.
async fn filters(
    admin: &Admin,
    partition: PartitionId,
    scope: &Scope,
) -> Result<Vec<Filter>, Refusal> {
    let by_status =
        |statuses: &[StatusKind]| Filter { statuses: Some(statuses.to_vec()), ..Filter::ALL };
    Ok(match scope {
        Scope::Deployment(deployment) => vec![
            Filter { deployment: Some(*deployment), ..Filter::ALL },
            by_status(&[StatusKind::Running, StatusKind::BackingOff]),
        ],
        Scope::Within(within @ (Within::All | Within::Key { .. })) => {
            vec![Filter { within: within.clone(), ..Filter::ALL }]
        }
        Scope::Within(within @ Within::Service(service)) => {
            match cheapest(admin, partition, service).await? {
                Cheapest::Nothing => Vec::new(),
                Cheapest::ByService => vec![Filter { within: within.clone(), ..Filter::ALL }],
                Cheapest::ByStatus => vec![by_status(&StatusKind::UNFINISHED)],
            }
        }
    })
}

/// How to find the invocations of a service that have not ended.
enum Cheapest {
    /// There are none.
    Nothing,
    /// Through all of the service, those that have ended among them.
    ByService,
    /// Through all that have not ended, those of other services among them.
    ByStatus,
}

/// Compares the two by how many invocations they read, which tallies tell.
async fn cheapest(
    admin: &Admin,
    partition: PartitionId,
    service: &str,
) -> Result<Cheapest, Refusal> {
    let own = tallies(admin, partition, Within::Service(service.to_owned())).await?;
    if own.unfinished == 0 {
        return Ok(Cheapest::Nothing);
    }
    // With very many services, this is less than there are, and the comparison a guess.
    let all = tallies(admin, partition, Within::All).await?;
    let is_few = own.unfinished + own.completed < all.unfinished;
    Ok(if is_few { Cheapest::ByService } else { Cheapest::ByStatus })
}

#[derive(Default)]
struct Tallied {
    unfinished: u64,
    completed: u64,
}

async fn tallies(
    admin: &Admin,
    partition: PartitionId,
    within: Within,
) -> Result<Tallied, Refusal> {
    let select = Select {
        filter: Filter { within, ..Filter::ALL },
        detail: Detail::Tally,
        order: None,
        after: None,
        budget: TALLY_TURN,
    };
    let page = admin.partitions.read(partition, select).await?;
    let mut tallied = Tallied::default();
    for selected in page.rows {
        match selected {
            Selected::Tally(_, StatusKind::Completed, count) => tallied.completed += count,
            Selected::Tally(_, _, count) => tallied.unfinished += count,
            Selected::Object(..) | Selected::Row(..) => (),
        }
    }
    Ok(tallied)
}
