//! Frozen overlays on their way into the file: all of them and their `applied_lsn`, or nothing.

use std::sync::Arc;

use redb::{Database, ReadableTable};
use runtime_core::Lsn;

use crate::{
    base::Frozen,
    checked::Encoder,
    format::{APPLIED_LSN, META, ROW_BYTES, ROWS},
    patient::patiently,
};

/// A checkpoint to be written, on any thread.
pub struct Checkpoint {
    pub(crate) database: Arc<Database>,
    /// Oldest first.
    pub(crate) frozen: Vec<Frozen>,
    pub(crate) applied: Lsn,
}

/// A checkpoint that was written, or could not be.
pub struct CheckpointDone {
    pub(crate) applied: Lsn,
    /// Bytes in the rows of the file then, if it counts them.
    pub(crate) written: Result<Option<u64>, redb::Error>,
}

impl Checkpoint {
    /// How many changes of rows it writes.
    pub fn rows(&self) -> usize {
        self.frozen.iter().map(|layer| layer.rows.len()).sum()
    }

    /// Writes it in one durable transaction, each layer in key order. Waits while the disk is full.
    pub fn run(self) -> CheckpointDone {
        CheckpointDone { applied: self.applied, written: patiently(|| self.write()) }
    }

    fn write(&self) -> Result<Option<u64>, redb::Error> {
        let mut transaction = self.database.begin_write()?;
        // Without it, opening after a crash reads the whole file: seconds for millions of rows.
        transaction.set_quick_repair(true);
        let row_bytes = {
            let mut rows = transaction.open_table(ROWS)?;
            let mut encoder = Encoder::default();
            let (mut gained_bytes, mut lost_bytes) = (0, 0);
            for (key, row) in self.frozen.iter().flat_map(|layer| layer.rows.iter()) {
                match row {
                    Some(row) => {
                        let value = encoder.encode(key, row);
                        gained_bytes += bytes_of(key, value);
                        let old = rows.insert(&key[..], value)?;
                        lost_bytes += old.map_or(0, |old| bytes_of(key, old.value()));
                    }
                    None => {
                        let old = rows.remove(&key[..])?;
                        lost_bytes += old.map_or(0, |old| bytes_of(key, old.value()));
                    }
                }
            }
            let mut meta = transaction.open_table(META)?;
            meta.insert(APPLIED_LSN, self.applied.0)?;
            let row_bytes = meta.get(ROW_BYTES)?.map(|bytes| bytes.value());
            // An older version may have written in between, which does not count.
            let row_bytes =
                row_bytes.map(|bytes| (bytes + gained_bytes).saturating_sub(lost_bytes));
            if let Some(row_bytes) = row_bytes {
                meta.insert(ROW_BYTES, row_bytes)?;
            }
            row_bytes
        };
        transaction.commit()?;
        Ok(row_bytes)
    }
}

fn bytes_of(key: &[u8], value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64
}
