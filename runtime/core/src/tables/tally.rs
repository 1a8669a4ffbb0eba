//! Key: service, or deployment and service. Row: how many invocations of the service, or how many of
//! those that are pinned to the deployment, are in each status, so that nobody has to count them.
//! There is none while there is no such invocation.

use std::collections::BTreeMap;

use protocol::DeploymentId;
use serde::{Deserialize, Serialize};

use super::{
    Key, Order, Row, Table, Tables,
    key::KeyReader,
    row::expect_row,
    walk::{Budget, Range, Walk, Within},
};
use crate::model::invocation::StatusKind;

/// Numbers of invocations by status, in the order of [`StatusKind::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally([u64; StatusKind::ALL.len()]);

impl Tally {
    /// The statuses in which there are any, with their numbers.
    pub fn counts(self) -> impl Iterator<Item = (StatusKind, u64)> {
        StatusKind::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }

    /// Counts another invocation.
    pub(crate) fn add(&mut self, status: StatusKind) {
        self.0[place(status)] += 1;
    }

    fn remove(&mut self, status: StatusKind) {
        let count = &mut self.0[place(status)];
        assert!(*count > 0, "an invocation leaves {status:?}, where there is none");
        *count -= 1;
    }
}

fn place(status: StatusKind) -> usize {
    // Statuses are numbered from 1 on.
    usize::from(status as u8) - 1
}

impl Tables<'_> {
    /// The tallies of one service or of all, ordered by service.
    pub fn walk_tallies(
        &self,
        service: Option<&str>,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, (String, Tally)> {
        let within = service.map_or(Within::All, |service| Within::Service(service.to_owned()));
        let prefix = Table::Tally.key().within(&within).done();
        Walk::new(self, Range::of(prefix, after), budget, |key, row| {
            Some((KeyReader::new(key).text()?, *expect_row!(row, Tally)))
        })
    }

    /// The tallies of what is pinned to a deployment, ordered by service.
    pub fn walk_pinned_tallies(
        &self,
        deployment: DeploymentId,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, (String, Tally)> {
        let prefix = Table::PinnedTally.key().u128(deployment.0).done();
        Walk::new(self, Range::of(prefix, after), budget, |key, row| {
            let mut reader = KeyReader::new(key);
            reader.u128()?;
            Some((reader.text()?, *expect_row!(row, Tally)))
        })
    }

    /// An invocation of a service, pinned to a deployment or not, leaves a status, enters one, or
    /// both.
    ///
    /// # Panics
    /// Panics if it leaves a status in which there is none.
    pub(crate) fn tally(
        &mut self,
        service: &str,
        pinned_to: Option<DeploymentId>,
        from: Option<StatusKind>,
        to: Option<StatusKind>,
    ) {
        self.count(service_key(service), from, to);
        if let Some(deployment) = pinned_to {
            self.count(pinned_key(deployment, service), from, to);
        }
    }

    /// An invocation of a service in this status is no longer pinned to `from`, but to `to`.
    ///
    /// # Panics
    /// Panics if there is none in this status.
    pub(crate) fn tally_pin(
        &mut self,
        service: &str,
        status: StatusKind,
        from: Option<DeploymentId>,
        to: DeploymentId,
    ) {
        if let Some(from) = from {
            self.count(pinned_key(from, service), Some(status), None);
        }
        self.count(pinned_key(to, service), None, Some(status));
    }

    fn count(&mut self, key: Key, from: Option<StatusKind>, to: Option<StatusKind>) {
        let tally = match self.get_mut(key.clone()) {
            Some(Row::Tally(tally)) => tally,
            Some(other) => panic!("a tally is {other:?}"),
            None => {
                let mut tally = Tally::default();
                assert!(from.is_none(), "an invocation of {key:?} leaves {from:?}, unknown");
                to.into_iter().for_each(|to| tally.add(to));
                return self.put_absent(key, Row::Tally(Box::new(tally)));
            }
        };
        from.into_iter().for_each(|from| tally.remove(from));
        to.into_iter().for_each(|to| tally.add(to));
        if **tally == Tally::default() {
            self.delete(key);
        }
    }

    /// Counts all invocations, if a version without tallies, or without those of deployments, has
    /// written them. Reads every one of them.
    pub fn tally_if_missing(&mut self) {
        let is_empty = |table: Table| {
            let prefix = table.key().done();
            self.seek(&prefix, &prefix).is_none()
        };
        let is_missing = |counts: Table, counted: Table| is_empty(counts) && !is_empty(counted);
        let of_services = is_missing(Table::Tally, Table::Invocation);
        let of_deployments = is_missing(Table::PinnedTally, Table::IndexDeployment);
        if !of_services && !of_deployments {
            return;
        }
        let mut tallies = BTreeMap::<Key, Tally>::new();
        let all = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };
        for (_, row) in self.walk_invocations(Order::Ascending, None, all) {
            let (service, pin) = (&row.target.service, row.pin.filter(|_| of_deployments));
            let keys = of_services.then(|| service_key(service));
            let keys = keys.into_iter().chain(pin.map(|pin| pinned_key(pin.deployment, service)));
            keys.for_each(|key| tallies.entry(key).or_default().add(row.status.kind()));
        }
        for (key, tally) in tallies {
            self.put(key, Row::Tally(Box::new(tally)));
        }
    }
}

fn service_key(service: &str) -> Key {
    Table::Tally.key().bytes(service.as_bytes()).done()
}

fn pinned_key(deployment: DeploymentId, service: &str) -> Key {
    Table::PinnedTally.key().u128(deployment.0).bytes(service.as_bytes()).done()
}
