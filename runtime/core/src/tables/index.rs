//! Index rows, which consist only of their key, for listing invocations by status, target or
//! deployment. No index by time is needed: the invocation table is ordered by creation.

use protocol::{DeploymentId, Target};

use super::{
    Key, Row, Table, Tables,
    key::KeyReader,
    slots::Order,
    walk::{Budget, Range, Walk, Within},
};
use crate::model::{ids::Lsn, invocation::StatusKind};

impl Tables<'_> {
    /// Invocations of one status, in order of creation, from `from` on.
    pub fn by_status(&self, status: StatusKind, from: Lsn, limit: usize) -> Vec<Lsn> {
        let prefix = Table::IndexStatus.key().u8(status as u8).done();
        let rows = self.scan(&prefix, &status_key(status, from), limit);
        rows.iter().filter_map(|(key, _)| Some(indexed_by_status(key)?.1)).collect()
    }

    /// The same in either direction, after an invocation and reading at most `rows_max` rows,
    /// counting those that have been removed; and the invocation to continue after, if there may be
    /// more.
    pub fn some_by_status(
        &self,
        status: StatusKind,
        after: Option<Lsn>,
        order: Order,
        rows_max: usize,
    ) -> (Vec<Lsn>, Option<Lsn>) {
        let prefix = Table::IndexStatus.key().u8(status as u8).done();
        let after = after.map(|after| status_key(status, after));
        // An entry takes only a few bytes, so a limit on their number is enough.
        let budget = Budget { rows_max, bytes_max: usize::MAX };
        let read = |key: &[u8], _| indexed_by_status(key).map(|(_, lsn)| lsn);
        let range = Range { order, ..Range::of(prefix, after.as_deref()) };
        let mut walk = Walk::new(self, range, budget, read);
        let found = walk.by_ref().collect();
        let rest_after = walk.rest_after().and_then(|key| indexed_by_status(&key));
        (found, rest_after.map(|(_, lsn)| lsn))
    }

    /// The status of each invocation, ordered by status, then by creation.
    pub fn walk_statuses(
        &self,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, (StatusKind, Lsn)> {
        let range = Range::of(Table::IndexStatus.key().done(), after);
        Walk::new(self, range, budget, |key, _| indexed_by_status(key))
    }

    /// The targets of invocations, ordered by service, key and creation.
    pub fn walk_targets(
        &self,
        within: &Within,
        order: Order,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, (String, String, Lsn)> {
        let prefix = Table::IndexTarget.key().within(within).done();
        let range = Range { order, ..Range::of(prefix, after) };
        Walk::new(self, range, budget, |key, _| {
            let mut reader = KeyReader::new(key);
            Some((reader.text()?, reader.text()?, reader.lsn()?))
        })
    }

    /// The object of each invocation, in the same order. Many of them follow each other.
    pub fn walk_indexed_objects(
        &self,
        within: &Within,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, EncodedObject> {
        let prefix = Table::IndexTarget.key().within(within).done();
        Walk::new(self, Range::of(prefix, after), budget, |key, _| {
            // The key ends with the invocation.
            let (object, _) = key.split_last_chunk::<8>()?;
            Some(EncodedObject(Key::from_slice(object)))
        })
    }

    /// The invocations that are pinned to a deployment, ordered by creation.
    pub fn walk_deployment(
        &self,
        deployment: DeploymentId,
        order: Order,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, Lsn> {
        let prefix = Table::IndexDeployment.key().u128(deployment.0).done();
        let range = Range { order, ..Range::of(prefix, after) };
        Walk::new(self, range, budget, |key, _| {
            let mut reader = KeyReader::new(key);
            reader.u128()?;
            reader.lsn()
        })
    }

    pub(crate) fn index_status(&mut self, status: StatusKind, invocation: Lsn) {
        self.put_of(invocation, status_key(status, invocation), Row::Unit);
    }

    pub(crate) fn unindex_status(&mut self, status: StatusKind, invocation: Lsn) {
        self.delete(status_key(status, invocation));
    }

    /// Whether any invocation of an object or a workflow exists, finished or not.
    pub(crate) fn has_invocation_of(&self, service: &str, key: &str) -> bool {
        let prefix = Table::IndexTarget.key().bytes(service.as_bytes()).bytes(key.as_bytes());
        let prefix = prefix.done();
        self.seek(&prefix, &prefix).is_some()
    }

    pub(crate) fn index_target(&mut self, target: &Target, invocation: Lsn) {
        self.create(target_key(target, invocation), Row::Unit);
    }

    pub(crate) fn unindex_target(&mut self, target: &Target, invocation: Lsn) {
        self.delete(target_key(target, invocation));
    }

    pub(crate) fn index_deployment(&mut self, deployment: DeploymentId, invocation: Lsn) {
        self.put_of(invocation, deployment_key(deployment, invocation), Row::Unit);
    }

    pub(crate) fn unindex_deployment(&mut self, deployment: DeploymentId, invocation: Lsn) {
        self.delete(deployment_key(deployment, invocation));
    }
}

/// A service and a key, which can be compared without being decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedObject(Key);

impl EncodedObject {
    /// The service and the key; the latter is empty for a plain service.
    ///
    /// # Panics
    /// Never panics: only keys of the index become one.
    pub fn decode(&self) -> (String, String) {
        let mut reader = KeyReader::new(&self.0);
        match (reader.text(), reader.text()) {
            (Some(service), Some(key)) => (service, key),
            (_, _) => panic!("{:?} is not an object of the index", self.0),
        }
    }
}

pub(super) fn indexed_by_status(key: &[u8]) -> Option<(StatusKind, Lsn)> {
    let mut reader = KeyReader::new(key);
    Some((StatusKind::of(reader.u8()?)?, reader.lsn()?))
}

fn status_key(status: StatusKind, invocation: Lsn) -> Key {
    Table::IndexStatus.key().u8(status as u8).lsn(invocation).done()
}

fn target_key(target: &Target, invocation: Lsn) -> Key {
    let key = Table::IndexTarget.key().bytes(target.service.as_bytes());
    key.bytes(target.key.as_bytes()).lsn(invocation).done()
}

fn deployment_key(deployment: DeploymentId, invocation: Lsn) -> Key {
    Table::IndexDeployment.key().u128(deployment.0).lsn(invocation).done()
}

#[cfg(test)]
mod tests {
    use super::super::{Empty, Overlay, meter};
    use super::*;

    /// Listings read this page by page.
    #[test]
    fn invocations_of_a_status_cost_what_is_found_wherever_one_begins() {
        let mut live = Overlay::default();
        let mut tables = Tables::new(&mut live, &Empty);
        for lsn in 1..=10_000 {
            tables.index_status(StatusKind::Completed, Lsn(lsn));
        }
        meter::take();
        assert!(tables.by_status(StatusKind::Paused, Lsn(0), 64).is_empty());
        assert!(meter::take() <= 1, "nothing is found at once, whatever there is beside it");
        let late = tables.by_status(StatusKind::Completed, Lsn(9000), 64);
        assert_eq!((late.len(), late[0]), (64, Lsn(9000)));
        assert!(meter::take() <= 64, "what was passed costs nothing");
    }
}
