//! Followers of a node: an observer that maintains a copy of all rows from notifications alone, and
//! readers that hold rows for longer than a turn.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use runtime_core::{
    Lsn, PartitionId,
    tables::{Key, Row, Tables},
};
use runtime_partition::{DurableBatch, Observer, Partitions, RowSnapshot, Stopped};

use crate::{
    checks::rows_with,
    node::SimNode,
    stats::{Fault, Stats},
};

type Rows = BTreeMap<Key, Row>;

fn all(tables: &Tables<'_>) -> Rows {
    rows_with(tables, &[]).into_iter().collect()
}

/// The rows of each partition, as the observer knows them.
#[derive(Default)]
pub(crate) struct Copy(Mutex<BTreeMap<PartitionId, Copied>>);

#[derive(Default)]
struct Copied {
    rows: Rows,
    applied: Lsn,
    /// Batches observed since the last comparison.
    batches: u64,
}

impl Copy {
    /// Starts from a node's current rows.
    pub(crate) fn begin(&self, node: &mut SimNode) {
        for partition in 0..node.count() {
            let (rows, applied) = node.tables(partition, |tables| (all(tables), tables.applied()));
            self.lock().insert(id_of(partition), Copied { rows, applied, batches: 0 });
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PartitionId, Copied>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Copy {
    fn durable(&self, batch: &DurableBatch<'_>) {
        let mut copies = self.lock();
        let copied = copies.entry(batch.partition).or_default();
        for record in batch.records {
            assert!(
                record.lsn.0 == copied.applied.0 + 1,
                "{:?} is reported after {:?}",
                record.lsn,
                copied.applied
            );
            copied.applied = record.lsn;
        }
        for change in batch.changes {
            match &change.row {
                Some(row) => _ = copied.rows.insert(change.key.clone(), row.clone()),
                None => _ = copied.rows.remove(&change.key),
            }
        }
        copied.batches += 1;
    }
}

type Holding = Pin<Box<dyn Future<Output = Result<RowSnapshot, Stopped>> + Send>>;

/// Rows that a reader holds.
struct Held {
    partition: PartitionId,
    rows: RowSnapshot,
    expected: Rows,
}

/// Readers that hold rows of one node, or wait for them.
#[derive(Default)]
pub(crate) struct Holders {
    waiting: Vec<(PartitionId, Holding)>,
    held: Vec<Held>,
    /// How many reads were started.
    begun: usize,
}

/// More concurrent readers would not exercise anything new.
const HELD_MAX: usize = 4;

impl Holders {
    /// Starts a reader; partitions take turns.
    pub(crate) fn begin(&mut self, partitions: &Partitions) {
        if self.waiting.len() + self.held.len() < HELD_MAX {
            let partition = id_of(self.begun % usize::from(partitions.count()));
            self.begun += 1;
            let partitions = partitions.clone();
            self.waiting
                .push((partition, Box::pin(async move { partitions.snapshot(partition).await })));
        }
    }

    /// Checks which readers have their rows by now; they must equal the observer's if both have
    /// applied the same records.
    pub(crate) fn listen(&mut self, copy: &Copy) -> Result<(), String> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut still = Vec::new();
        for (partition, mut holding) in self.waiting.drain(..) {
            match holding.as_mut().poll(&mut cx) {
                Poll::Pending => still.push((partition, holding)),
                Poll::Ready(Err(Stopped)) => (),
                Poll::Ready(Ok(rows)) => {
                    let expected = rows.read(all);
                    let copies = copy.lock();
                    let copied = &copies[&partition];
                    if copied.applied < rows.applied() {
                        return Err(format!("{partition:?}: held rows are not durable"));
                    }
                    if copied.applied == rows.applied() && copied.rows != expected {
                        return Err(format!("{partition:?}: held rows differ from an observer's"));
                    }
                    self.held.push(Held { partition, rows, expected });
                }
            }
        }
        self.waiting = still;
        Ok(())
    }

    /// Checks that held rows have not changed, and releases them.
    pub(crate) fn finish(&mut self, copy: &Copy, stats: &mut Stats) -> Result<(), String> {
        for Held { partition, rows, expected } in self.held.drain(..) {
            stats.add(Fault::Held, copy.lock()[&partition].rows != expected);
            if rows.read(all) != expected {
                return Err(format!("{partition:?}: held rows have changed"));
            }
        }
        Ok(())
    }
}

/// Checks that an observer that has seen every batch has all rows.
///
/// # Errors
/// Returns where it differs.
pub(crate) fn compare(node: &mut SimNode, copy: &Copy, stats: &mut Stats) -> Result<(), String> {
    let is_log_over = node.media().has_log_failed() || node.media().is_off().is_some();
    if node.has_pending() || is_log_over {
        return Ok(()); // The observer has not seen everything that is applied.
    }
    for partition in 0..node.count() {
        let rows = node.tables(partition, all);
        let mut copies = copy.lock();
        let Some(copied) = copies.get_mut(&id_of(partition)) else { continue };
        stats.add(Fault::Followed, std::mem::take(&mut copied.batches) > 0);
        if copied.rows != rows {
            let differs = |(key, row): &(&Key, &Row)| rows.get(*key) != Some(*row);
            let key = copied.rows.iter().find(differs).map(|(key, _)| key);
            return Err(format!("partition {partition}: an observer's rows differ at {key:?}"));
        }
    }
    Ok(())
}

fn id_of(partition: usize) -> PartitionId {
    PartitionId(u16::try_from(partition).unwrap_or(u16::MAX))
}
