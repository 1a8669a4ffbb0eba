//! Key: deployment id. Row: a registered endpoint and the services it offers.
//!
//! Only the registry's partition has these rows; the edges read a snapshot built from them.

use protocol::DeploymentId;

use super::{Key, Row, Table, Tables, row::expect_row};
use crate::model::deployment::StoredDeployment;

impl Tables<'_> {
    /// All registered deployments, ordered by id, which is the order of registration.
    pub fn deployments(&self) -> Vec<StoredDeployment> {
        let prefix = Table::Deployment.key().done();
        let rows = self.scan(&prefix, &prefix, usize::MAX);
        rows.into_iter().map(|(_, row)| *expect_row!(row, Deployment)).collect()
    }

    pub(crate) fn deployment(&self, id: DeploymentId) -> Option<StoredDeployment> {
        self.get(&row_key(id)).map(|row| *expect_row!(row, Deployment))
    }

    pub(crate) fn put_deployment(&mut self, stored: StoredDeployment) {
        let (services, revisions) = (stored.deployment.services.len(), stored.revisions.len());
        assert!(services == revisions, "{services} services have {revisions} revisions");
        let key = row_key(stored.deployment.id);
        self.put(key, Row::Deployment(Box::new(stored)));
    }

    pub(crate) fn delete_deployment(&mut self, id: DeploymentId) {
        self.delete(row_key(id));
    }
}

fn row_key(id: DeploymentId) -> Key {
    Table::Deployment.key().u128(id.0).done()
}
