//! Selects invocations by what is known of them, through the index that leaves the fewest to read.

use protocol::{DeploymentId, InvocationId};
use runtime_core::{
    Lsn,
    model::invocation::{Invocation, StatusKind},
    tables::{Order, Tables, index::EncodedObject},
    time::Timestamp,
};

use super::row_named;
use crate::{
    View,
    page::{Budget, Cursor, Page, Within},
};

/// Which invocations to select. An invocation has to match all of it, but more than that may be
/// returned: what no index answers is left to the caller to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Only these.
    pub ids: Option<Vec<InvocationId>>,
    /// Only those of these services or objects.
    pub within: Within,
    /// Only those in these statuses.
    pub statuses: Option<Vec<StatusKind>>,
    /// Only those pinned to this deployment.
    pub deployment: Option<DeploymentId>,
    /// Only those created at or after this time.
    pub created_from: Timestamp,
    /// Only those created at or before this time.
    pub created_until: Timestamp,
}

impl Filter {
    /// Selects all invocations.
    pub const ALL: Self = Self {
        ids: None,
        within: Within::All,
        statuses: None,
        deployment: None,
        created_from: Timestamp(0),
        created_until: Timestamp(u64::MAX),
    };
}

/// How much to read of each invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Its service and status: without a filter on anything else, no row is read, since tallies
    /// say how many there are.
    Tally,
    /// Its service and key, from an index, likewise.
    Object,
    /// Everything but its journal.
    Row,
}

/// A selected invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    /// For [`Detail::Tally`]: so many invocations of a service in a status.
    Tally(String, StatusKind, u64),
    /// For [`Detail::Object`]: a service, and a key, which is empty for a plain service, and so many
    /// invocations of them in a row.
    Object(String, String, u64),
    /// With the LSN that created it. More than was asked for, if its row was read anyway.
    Row(Lsn, Box<Invocation>),
}

/// Selects invocations of one partition.
#[derive(Debug, Clone)]
pub struct Select {
    /// Which invocations.
    pub filter: Filter,
    /// What of them.
    pub detail: Detail,
    /// In order of creation, or in any order, which may be faster. A list of ids is always read in
    /// its own order.
    pub order: Option<Order>,
    /// The cursor to continue from.
    pub after: Option<Cursor>,
    /// Limit on how much to read.
    pub budget: Budget,
}

impl View for Select {
    type Output = Page<Selected>;

    fn read(self, tables: &Tables<'_>) -> Page<Selected> {
        let Filter { ids, within, statuses, deployment, created_from, created_until } =
            &self.filter;
        let is_any_time = *created_from == Timestamp(0) && *created_until == Timestamp(u64::MAX);
        let few_statuses =
            statuses.as_deref().filter(|kinds| !kinds.contains(&StatusKind::Completed));
        match (ids, within, deployment) {
            (Some(ids), _, _) => self.by_id(tables, ids),
            (None, Within::All, None) if self.detail == Detail::Tally && is_any_time => {
                self.tallies(tables, None)
            }
            (None, Within::Service(service), None)
                if self.detail == Detail::Tally && is_any_time =>
            {
                self.tallies(tables, Some(service))
            }
            (None, _, None)
                if self.detail == Detail::Object && is_any_time && statuses.is_none() =>
            {
                self.objects(tables)
            }
            (None, Within::Key { .. }, _) => self.by_target(tables),
            (None, _, Some(deployment)) => self.by_deployment(tables, *deployment),
            (None, Within::Service(_), None) if self.order.is_none() => self.by_target(tables),
            (None, Within::All | Within::Service(_), None) => match few_statuses {
                Some(kinds) => self.by_status(tables, kinds),
                None => self.by_time(tables),
            },
        }
    }
}

impl Select {
    /// Orders of creation: a query that asks for none gets the newest first, where a beginning can
    /// end the search.
    fn any_order(&self) -> Order {
        let newest_first = self.filter.created_from > Timestamp(0);
        let any = if newest_first { Order::Descending } else { Order::Ascending };
        self.order.unwrap_or(any)
    }

    fn after(&self) -> Option<&[u8]> {
        self.after.as_ref().map(Cursor::key)
    }

    /// The cursor is the index of the last id.
    fn by_id(&self, tables: &Tables<'_>, ids: &[InvocationId]) -> Page<Selected> {
        let done = self.after().and_then(|key| key.first_chunk::<8>());
        let done = done.map_or(0, |index| u64::from_be_bytes(*index).saturating_add(1));
        let done = usize::try_from(done).unwrap_or(usize::MAX);
        let (mut rows, mut bytes) = (Vec::new(), 0);
        for (index, id) in ids.iter().enumerate().skip(done) {
            if let Some(lsn) = tables.invocation_lsn(*id) {
                let (row, row_bytes) = row_named(tables, lsn);
                bytes += row_bytes;
                rows.push(Selected::Row(lsn, row));
            }
            let looked_at = index + 1 - done;
            let is_spent = looked_at >= self.budget.rows_max || bytes >= self.budget.bytes_max;
            if is_spent && index + 1 < ids.len() {
                let cursor = Cursor::of(&(index as u64).to_be_bytes());
                return Page { rows, rest_after: Some(cursor) };
            }
        }
        Page { rows, rest_after: None }
    }

    fn tallies(&self, tables: &Tables<'_>, service: Option<&str>) -> Page<Selected> {
        let walk = tables.walk_tallies(service, self.after(), self.budget);
        let Page { rows, rest_after } = Page::of(walk, |_, tally| tally);
        let statuses = self.filter.statuses.as_ref();
        let is_wanted = |status| statuses.is_none_or(|statuses| statuses.contains(&status));
        let rows = rows.into_iter().flat_map(|(service, tally)| {
            let counts = tally.counts().filter(|(status, _)| is_wanted(*status));
            counts.map(move |(status, count)| Selected::Tally(service.clone(), status, count))
        });
        Page { rows: rows.collect(), rest_after }
    }

    fn objects(&self, tables: &Tables<'_>) -> Page<Selected> {
        let walk = tables.walk_indexed_objects(&self.filter.within, self.after(), self.budget);
        Page::of_runs(walk, EncodedObject::eq, |object, count| {
            let (service, key) = object.decode();
            Selected::Object(service, key, count)
        })
    }

    fn by_target(&self, tables: &Tables<'_>) -> Page<Selected> {
        let order = self.any_order();
        let walk = tables.walk_targets(&self.filter.within, order, self.after(), self.budget);
        Page::of(walk, |walk, (_, _, lsn)| {
            let (row, bytes) = row_named(tables, lsn);
            walk.count(bytes);
            Selected::Row(lsn, row)
        })
    }

    fn by_deployment(&self, tables: &Tables<'_>, deployment: DeploymentId) -> Page<Selected> {
        let order = self.any_order();
        let walk = tables.walk_deployment(deployment, order, self.after(), self.budget);
        Page::of(walk, |walk, lsn| {
            let (row, bytes) = row_named(tables, lsn);
            walk.count(bytes);
            Selected::Row(lsn, row)
        })
    }

    /// The cursor is the LSN of the last invocation.
    fn by_status(&self, tables: &Tables<'_>, kinds: &[StatusKind]) -> Page<Selected> {
        let after = self.after().and_then(|key| key.first_chunk::<8>());
        let after = after.map(|lsn| Lsn(u64::from_be_bytes(*lsn)));
        let page = super::in_statuses(tables, kinds, (after, self.any_order()), self.budget);
        Page {
            rows: page.rows.into_iter().map(|(lsn, row)| Selected::Row(lsn, row)).collect(),
            rest_after: page.rest_after.map(|lsn| Cursor::of(&lsn.0.to_be_bytes())),
        }
    }

    /// Reads the rows themselves, which are in order of creation, from the end where those of the
    /// wanted time are until they are over.
    fn by_time(&self, tables: &Tables<'_>) -> Page<Selected> {
        let order = self.any_order();
        let Filter { created_from, created_until, .. } = self.filter;
        let walk = tables.walk_invocations(order, self.after(), self.budget);
        let is_over = |row: &Invocation| match order {
            Order::Ascending => row.created_at > created_until,
            Order::Descending => row.created_at < created_from,
        };
        let mut rows_are_over = false;
        let mut page = Page::of(walk, |_, (lsn, row)| {
            rows_are_over |= is_over(&row);
            Selected::Row(lsn, row)
        });
        if rows_are_over {
            page.rest_after = None;
        }
        page
    }
}
