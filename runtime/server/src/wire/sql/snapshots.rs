//! Takes snapshots for queries: one at a time, shared by all that ask for one in the meantime, and
//! released early if those under way keep too much memory.

use std::collections::BTreeMap;
use std::sync::{
    Arc, Mutex, PoisonError, RwLock, Weak,
    atomic::{AtomicU64, Ordering},
};

use futures::{
    FutureExt,
    future::{BoxFuture, try_join_all},
};
use runtime_core::PartitionId;
use runtime_partition::{Partitions, RowSnapshot, Stopped};
use runtime_schema::SharedRegistry;
use sql_introspection::{Rows, Source, Unavailable};

use super::{Following, Snapshot, aliases};

/// Takes snapshots of all partitions.
pub(crate) struct Snapshots {
    partitions: Partitions,
    registry: SharedRegistry,
    /// Changed rows that all snapshots together may keep in memory, in bytes.
    bytes_max: usize,
    following: Arc<Following>,
    /// How many have asked for a snapshot.
    asked: AtomicU64,
    /// The last snapshot, taken by one at a time.
    last: tokio::sync::Mutex<Last>,
    /// All that may still be in use, the oldest first.
    in_use: Mutex<Vec<Weak<Held>>>,
}

/// The last snapshot, and how many had asked when it was begun: it is recent enough for them.
#[derive(Default)]
struct Last {
    asked: u64,
    rows: Weak<Snapshot>,
}

/// The rows of a snapshot, until they are taken away.
pub(super) struct Held(RwLock<Option<Arc<Vec<RowSnapshot>>>>);

impl Held {
    /// The rows.
    ///
    /// # Errors
    /// Returns an error if they have been taken away.
    pub(super) fn rows(&self) -> Result<Arc<Vec<RowSnapshot>>, Unavailable> {
        let rows = self.0.read().unwrap_or_else(PoisonError::into_inner);
        rows.clone().ok_or(Unavailable::Crowded)
    }

    fn take_away(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Snapshots {
    pub(crate) fn new(
        partitions: Partitions,
        registry: SharedRegistry,
        bytes_max: usize,
        following: Following,
    ) -> Self {
        Self {
            partitions,
            registry,
            bytes_max,
            following: Arc::new(following),
            asked: AtomicU64::new(0),
            last: tokio::sync::Mutex::default(),
            in_use: Mutex::default(),
        }
    }

    async fn take(&self) -> Result<Arc<Snapshot>, Unavailable> {
        let asked = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut last = self.last.lock().await;
        if last.asked >= asked
            && let Some(rows) = last.rows.upgrade()
        {
            return Ok(rows);
        }
        let covered = self.asked.load(Ordering::Acquire);
        let all = (0..self.partitions.count()).map(PartitionId);
        let taken = all.map(|partition| self.partitions.snapshot(partition));
        let rows = try_join_all(taken).await.map_err(|Stopped| Unavailable::Stopping)?;
        let registry = self.registry.snapshot();
        let held = Arc::new(Held(RwLock::new(Some(Arc::new(rows)))));
        self.make_room(&held);
        let snapshot = Arc::new(Snapshot {
            count: self.partitions.count(),
            aliases: aliases(&registry),
            registry,
            held,
            following: Arc::clone(&self.following),
        });
        *last = Last { asked: covered, rows: Arc::downgrade(&snapshot) };
        Ok(snapshot)
    }

    /// Takes the oldest snapshots away until all together keep little enough. The newest stays,
    /// however much it keeps, so that a single query always works.
    fn make_room(&self, newest: &Arc<Held>) {
        let mut in_use = self.in_use.lock().unwrap_or_else(PoisonError::into_inner);
        in_use.push(Arc::downgrade(newest));
        let layers = |held: &Held| -> BTreeMap<usize, usize> {
            let rows = held.rows().unwrap_or_default();
            rows.iter().flat_map(RowSnapshot::layers).collect()
        };
        let mut live: Vec<_> = in_use.iter().filter_map(Weak::upgrade).collect();
        live.retain(|held| held.rows().is_ok());
        let mut from = 0;
        while from + 1 < live.len() {
            let kept: BTreeMap<_, _> = live[from..].iter().flat_map(|held| layers(held)).collect();
            if kept.values().sum::<usize>() <= self.bytes_max {
                break;
            }
            live[from].take_away();
            from += 1;
        }
        *in_use = live[from..].iter().map(Arc::downgrade).collect();
    }
}

impl Source for Snapshots {
    fn snapshot(&self) -> BoxFuture<'_, Result<Arc<dyn Rows>, Unavailable>> {
        async { Ok(self.take().await? as Arc<dyn Rows>) }.boxed()
    }
}
