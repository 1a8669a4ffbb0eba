//! Cursors: queries whose rows are fetched a few at a time.

use std::sync::Arc;

use datafusion::arrow::{array::RecordBatch, datatypes::SchemaRef};
use futures::StreamExt;

use crate::{error::SqlError, query::Batches};

/// A query whose rows are fetched a few at a time.
pub(super) struct Cursor {
    batches: Batches,
    /// Rows that were read but not fetched.
    rest: Option<RecordBatch>,
}

impl Cursor {
    pub(super) fn new(batches: Batches) -> Self {
        Self { batches, rest: None }
    }

    /// Columns of the rows.
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(self.batches.schema())
    }

    /// The next rows, at most `left`; and how many are left to fetch.
    pub(super) async fn next(
        &mut self,
        left: Option<u64>,
    ) -> Option<(Result<RecordBatch, SqlError>, Option<u64>)> {
        let wanted = left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return None;
        }
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => match self.batches.next().await? {
                Ok(batch) => batch,
                // Nothing comes after an error.
                Err(error) => return Some((Err(error), Some(0))),
            },
        };
        let taken = batch.num_rows().min(wanted);
        if taken < batch.num_rows() {
            self.rest = Some(batch.slice(taken, batch.num_rows() - taken));
        }
        let left = left.map(|left| left - taken as u64);
        Some((Ok(batch.slice(0, taken)), left))
    }
}
