//! Writes frozen overlays into the file: all of them and their `applied_lsn`, or nothing.

use std::sync::Arc;

use redb::{Database, ReadableTable};
use runtime_core::Lsn;

use crate::{
    base::Frozen,
    checked::Encoder,
    format::{APPLIED_LSN, META, ROW_BYTES, ROWS},
    patient::patiently,
};

/// A checkpoint ready to be written, on any thread.
pub struct Checkpoint {
    pub(crate) database: Arc<Database>,
    /// The layers to write, oldest first.
    pub(crate) frozen: Vec<Frozen>,
    pub(crate) applied: Lsn,
}

/// The outcome of a checkpoint, to be passed to [`Store::install`](crate::Store::install).
pub struct CheckpointDone {
    pub(crate) applied: Lsn,
    /// Row bytes of the file afterwards, if it tracks them.
    pub(crate) written: Result<Option<u64>, redb::Error>,
}

impl Checkpoint {
    /// Number of row changes it writes.
    pub fn rows(&self) -> usize {
        self.frozen.iter().map(|layer| layer.rows.len()).sum()
    }

    /// Writes the checkpoint in one durable transaction, each layer in key order. Waits while the
    /// disk is full.
    pub fn run(self) -> CheckpointDone {
        CheckpointDone { applied: self.applied, written: patiently(|| self.write()) }
    }

    fn write(&self) -> Result<Option<u64>, redb::Error> {
        let mut transaction = self.database.begin_write()?;
        // Without quick repair, opening after a crash reads the whole file: seconds for millions of
        // rows.
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
            // The count can be off, because an older version may have written to the file without
            // updating it.
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
