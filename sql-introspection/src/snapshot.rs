//! The rows that one query reads, taken when it reads the first of them.

use std::fmt;
use std::sync::Arc;

use datafusion::{
    catalog::Session,
    common::{DataFusionError, Result},
    prelude::SessionConfig,
};
use tokio::sync::OnceCell;

use crate::source::{Rows, Source};

/// All scans of a query read the same snapshot. A query that reads only the catalogue takes none.
pub(crate) struct QuerySnapshot {
    source: Arc<dyn Source>,
    rows: OnceCell<Arc<dyn Rows>>,
}

impl QuerySnapshot {
    /// Lets the scans that are planned with this configuration find a snapshot of their own.
    pub(crate) fn add(config: &mut SessionConfig, source: &Arc<dyn Source>) {
        let snapshot = Self { source: Arc::clone(source), rows: OnceCell::new() };
        config.set_extension(Arc::new(snapshot));
    }

    /// The snapshot of the query that is being planned.
    pub(crate) fn of(session: &dyn Session) -> Result<Arc<Self>> {
        session.config().get_extension::<Self>().ok_or_else(|| {
            DataFusionError::Internal("a query is planned without a snapshot".to_owned())
        })
    }

    /// The rows.
    pub(crate) async fn rows(&self) -> Result<Arc<dyn Rows>> {
        let taken = self.rows.get_or_try_init(|| self.source.snapshot()).await;
        taken.cloned().map_err(|error| DataFusionError::External(Box::new(error)))
    }
}

impl fmt::Debug for QuerySnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QuerySnapshot")
    }
}
