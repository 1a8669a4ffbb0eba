//! Index rows, which consist only of their key, for listing invocations by status, target or
//! deployment. No index by time is needed: the invocation table is ordered by creation.

use protocol::{DeploymentId, Target};

use super::{
    Key, Row, Table, Tables,
    key::KeyReader,
    walk::{Budget, Range, Walk},
};
use crate::model::{ids::Lsn, invocation::StatusKind};

impl Tables<'_> {
    /// Invocations of one status, in order of creation, from `from` on.
    pub fn by_status(&self, status: StatusKind, from: Lsn, limit: usize) -> Vec<Lsn> {
        let prefix = Table::IndexStatus.key().u8(status as u8).done();
        let rows = self.scan(&prefix, &status_key(status, from), limit);
        rows.iter().filter_map(|(key, _)| indexed_by_status(key)).collect()
    }

    /// The same, after an invocation and reading at most `rows_max` rows, counting those that have
    /// been removed; and the invocation to continue after, if there may be more.
    pub fn some_by_status(
        &self,
        status: StatusKind,
        after: Lsn,
        rows_max: usize,
    ) -> (Vec<Lsn>, Option<Lsn>) {
        let prefix = Table::IndexStatus.key().u8(status as u8).done();
        let after = status_key(status, after);
        // An entry takes only a few bytes, so a limit on their number is enough.
        let budget = Budget { rows_max, bytes_max: usize::MAX };
        let read = |key: &[u8], _| indexed_by_status(key);
        let mut walk = Walk::new(self, Range::of(prefix, Some(&after)), budget, read);
        let found = walk.by_ref().collect();
        (found, walk.rest_after().and_then(|key| indexed_by_status(&key)))
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

fn indexed_by_status(key: &[u8]) -> Option<Lsn> {
    let mut reader = KeyReader::new(key);
    reader.u8()?;
    reader.lsn()
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
