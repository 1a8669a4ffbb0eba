//! A frozen overlay on its way into the file: all of it and its `applied_lsn`, or nothing.

use std::sync::Arc;

use redb::Database;
use runtime_core::{Lsn, tables::Overlay};

use crate::{
    format::{APPLIED_LSN, META, ROWS},
    patient::patiently,
};

/// A checkpoint to be written, on any thread.
pub struct Checkpoint {
    pub(crate) database: Arc<Database>,
    pub(crate) frozen: Arc<Overlay>,
    pub(crate) applied: Lsn,
}

/// A checkpoint that was written, or could not be.
pub struct CheckpointDone {
    pub(crate) applied: Lsn,
    pub(crate) written: Result<(), redb::Error>,
}

impl Checkpoint {
    /// How many rows it changes.
    pub fn rows(&self) -> usize {
        self.frozen.len()
    }

    /// Writes it in one durable transaction, in key order. Waits while the disk is full.
    pub fn run(self) -> CheckpointDone {
        CheckpointDone { applied: self.applied, written: patiently(|| self.write()) }
    }

    fn write(&self) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        // Without it, opening after a crash reads the whole file: seconds for millions of rows.
        transaction.set_quick_repair(true);
        {
            let mut rows = transaction.open_table(ROWS)?;
            let mut buffer = Vec::with_capacity(1024);
            for (key, row) in self.frozen.iter() {
                match row {
                    Some(row) => {
                        buffer = row.encode(buffer);
                        rows.insert(&key[..], &buffer[..])?;
                    }
                    None => {
                        rows.remove(&key[..])?;
                    }
                }
            }
            transaction.open_table(META)?.insert(APPLIED_LSN, self.applied.0)?;
        }
        transaction.commit()?;
        Ok(())
    }
}
