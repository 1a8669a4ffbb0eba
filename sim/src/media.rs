//! The media underneath a node: simulated disks that fail on request, and that count what a crash
//! put at risk.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use runtime_embedded::Random;
use runtime_log::{disk::Disk, sim_disk::SimDisk};
use runtime_store::sim_backend::SimBackend;

use crate::stats::{Fault, Stats};

/// The log's disk, with two faults in addition to those of [`SimDisk`].
#[derive(Debug, Clone, Default)]
pub struct TrickedDisk {
    disk: SimDisk,
    tricks: Arc<Mutex<Tricks>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tricks {
    /// Whether to cut the power right after the next rename or removal, before the directory is
    /// synced.
    is_entry_cut: bool,
    /// Whether syncs do nothing (sabotage).
    is_deaf: bool,
}

impl TrickedDisk {
    fn tricks(&self) -> MutexGuard<'_, Tricks> {
        lock(&self.tricks)
    }

    /// Called after a directory entry has changed and before that is synced.
    fn entry_changed(&self) {
        if std::mem::take(&mut self.tricks().is_entry_cut) {
            self.disk.power_cut_at(self.disk.operations() + 1);
        }
    }
}

impl Disk for TrickedDisk {
    type File = <SimDisk as Disk>::File;

    fn magic(&self) -> io::Result<[u8; 8]> {
        self.disk.magic()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        self.disk.len(name)
    }

    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.disk.read_at(name, offset, len)
    }

    fn create(&self, name: &str) -> io::Result<Self::File> {
        self.disk.create(name)
    }

    fn open(&self, name: &str) -> io::Result<Self::File> {
        self.disk.open(name)
    }

    fn append(&self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()> {
        self.disk.append(file, bytes)
    }

    fn truncate(&self, file: &mut Self::File, len: u64) -> io::Result<()> {
        self.disk.truncate(file, len)
    }

    fn allocate(&self, file: &mut Self::File, from: u64, to: u64) -> io::Result<()> {
        self.disk.allocate(file, from, to)
    }

    fn sync(&self, file: &mut Self::File) -> io::Result<()> {
        if self.tricks().is_deaf { Ok(()) } else { self.disk.sync(file) }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)?;
        self.entry_changed();
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        if self.tricks().is_deaf { Ok(()) } else { self.disk.sync_dir() }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)?;
        self.entry_changed();
        Ok(())
    }
}

/// The media that outlive a node. Clones share all state.
#[derive(Debug, Clone, Default)]
pub struct Media {
    pub(crate) plain: runtime_embedded::Media<TrickedDisk>,
    plans: Arc<Mutex<Plans>>,
}

/// Planned faults, by operation number.
#[derive(Debug, Default)]
struct Plans {
    log_error_at: Option<u64>,
    table_cuts_at: BTreeMap<usize, u64>,
    table_errors_at: BTreeMap<usize, u64>,
    is_log_full: bool,
}

impl Media {
    /// Creates empty media for `partitions` partitions.
    pub fn new(partitions: usize) -> Self {
        Self { plain: runtime_embedded::Media::new(partitions), ..Self::default() }
    }

    /// The number of partitions.
    pub fn count(&self) -> usize {
        self.plain.tables.len()
    }

    /// Cuts the power during the log-disk operation that follows the next `operations` ones.
    pub fn cut_log_after(&self, operations: u64) {
        self.plain.disk.disk.power_cut_at(self.plain.disk.disk.operations() + 1 + operations);
    }

    /// Cuts the power after the next rename or removal of a log file, before it is synced.
    pub fn cut_log_at_entry(&self) {
        self.plain.disk.tricks().is_entry_cut = true;
    }

    /// Fails the log-disk operation that follows the next `operations` ones.
    pub fn fail_log_after(&self, operations: u64) {
        let at = self.plain.disk.disk.operations() + 1 + operations;
        let mut plans = self.plans();
        if plans.log_error_at.is_none() {
            plans.log_error_at = Some(at);
            self.plain.disk.disk.fail_at(at);
        }
    }

    /// Cuts the power during the table operation that follows the next `operations` ones of a
    /// partition.
    pub fn cut_tables_after(&self, partition: usize, operations: u64) {
        let at = self.plain.tables[partition].operations() + 1 + operations;
        self.plans().table_cuts_at.insert(partition, at);
        self.plain.tables[partition].fail_at(at);
    }

    /// Fails the table operation that follows the next `operations` ones of a partition.
    pub fn fail_tables_after(&self, partition: usize, operations: u64) {
        if !self.have_tables_failed() {
            let at = self.plain.tables[partition].operations() + 1 + operations;
            self.plans().table_errors_at.insert(partition, at);
            self.plain.tables[partition].fail_once_at(at);
        }
    }

    /// Fills the log's disk: another process takes all free space, and `taken_bytes` of what the
    /// log frees from then on.
    pub fn fill_log(&self, taken_bytes: u64) {
        let disk = &self.plain.disk.disk;
        disk.set_capacity_bytes(Some(disk.used_bytes().saturating_sub(taken_bytes)));
        self.plans().is_log_full = true;
    }

    /// Frees space on the log's disk.
    pub fn free_log(&self) {
        self.plain.disk.disk.set_capacity_bytes(None);
        self.plans().is_log_full = false;
    }

    /// Whether the log's disk has a capacity limit.
    pub fn is_log_full(&self) -> bool {
        self.plans().is_log_full
    }

    /// Makes the next `writes` writes of a partition's tables fail for lack of space.
    pub fn fill_tables(&self, partition: usize, writes: u64) {
        self.plain.tables[partition].refuse_room(writes);
    }

    /// How many table writes are still going to fail for lack of space.
    pub fn table_refusals_left(&self) -> u64 {
        self.plain.tables.iter().map(SimBackend::refusals_left).sum()
    }

    /// Cancels all planned faults that have not occurred yet; a full disk stays full.
    pub fn calm(&self) {
        let (has_log_failed, have_tables_failed) =
            (self.has_log_failed(), self.have_tables_failed());
        let mut plans = self.plans();
        plans.log_error_at = plans.log_error_at.filter(|_| has_log_failed);
        plans.table_cuts_at.clear();
        if !have_tables_failed {
            plans.table_errors_at.clear();
        }
        self.plain.disk.tricks().is_entry_cut = false;
        self.plain.disk.disk.forget_faults();
        self.plain.tables.iter().for_each(SimBackend::forget_faults);
    }

    /// Whether the power is off, and which fault cut it.
    pub fn is_off(&self) -> Option<Fault> {
        if self.plain.disk.disk.has_lost_power() {
            return Some(Fault::LogPowerCut);
        }
        self.has_come(&self.plans().table_cuts_at).then_some(Fault::CheckpointCut)
    }

    /// Whether a log operation has failed.
    pub fn has_log_failed(&self) -> bool {
        self.plans().log_error_at.is_some_and(|at| self.plain.disk.disk.operations() >= at)
    }

    /// Whether a table operation has failed.
    pub fn have_tables_failed(&self) -> bool {
        self.has_come(&self.plans().table_errors_at)
    }

    fn has_come(&self, plans: &BTreeMap<usize, u64>) -> bool {
        plans.iter().any(|(partition, at)| self.plain.tables[*partition].operations() >= *at)
    }

    /// Whether the log has unsynced bytes.
    pub fn has_unsynced_log(&self) -> bool {
        self.plain.disk.disk.at_risk().bytes > 0
    }

    /// Whether any tables have unsynced writes.
    pub fn have_unsynced_tables(&self) -> bool {
        self.plain.tables.iter().any(|backend| backend.pending_bytes() > 0)
    }

    /// Whether the media never held a log.
    pub(crate) fn is_new(&self) -> bool {
        self.plain.disk.disk.list().is_ok_and(|names| names.is_empty())
    }

    /// Sets whether syncs of the log do nothing.
    pub(crate) fn set_deaf(&self, is_deaf: bool) {
        self.plain.disk.tricks().is_deaf = is_deaf;
    }

    /// Returns the media as a power loss leaves them, and counts what it put at risk.
    pub(crate) fn lose_power(&self, random: &mut Random, stats: &mut Stats) -> Self {
        let before = &self.plain.disk.disk;
        let left = before.crash(|bound| random.below(bound));
        count_losses(&contents(before), &contents(&before.crash(|_| 0)), &contents(&left), stats);
        let disk = TrickedDisk { disk: left, tricks: Arc::default() };
        self.with(runtime_embedded::Media { disk, tables: self.plain.torn_tables(random) })
    }

    /// Returns the media as a killed process leaves them: everything, synced or not.
    pub(crate) fn keep(&self) -> Self {
        self.plain.disk.disk.forget_faults();
        let disk = TrickedDisk { disk: self.plain.disk.disk.clone(), tricks: Arc::default() };
        // These are copies, because dropping an old database would write to it.
        let tables = self.plain.tables.iter().map(SimBackend::keep).collect();
        self.with(runtime_embedded::Media { disk, tables })
    }

    /// New media without planned faults; a full disk stays full.
    fn with(&self, plain: runtime_embedded::Media<TrickedDisk>) -> Self {
        let plans = Plans { is_log_full: self.is_log_full(), ..Plans::default() };
        Self { plain, plans: Arc::new(Mutex::new(plans)) }
    }

    fn plans(&self) -> MutexGuard<'_, Plans> {
        lock(&self.plans)
    }
}

type Contents = BTreeMap<String, Bytes>;

/// Reads all files of a disk.
fn contents(disk: &SimDisk) -> Contents {
    let content = |name: &String| {
        let len = disk.len(name).ok()?;
        let bytes = disk.read_at(name, 0, usize::try_from(len).ok()?).ok()?;
        Some((name.clone(), Bytes::from(bytes)))
    };
    disk.list().unwrap_or_default().iter().filter_map(content).collect()
}

/// Counts what became of the bytes that the process saw (`before`) but had not synced (not in
/// `synced`).
fn count_losses(before: &Contents, synced: &Contents, after: &Contents, stats: &mut Stats) {
    for (name, before) in before {
        let Some(synced) = synced.get(name) else {
            stats.add(Fault::EntryLost, !after.contains_key(name));
            continue;
        };
        let Some(after) = after.get(name) else { continue };
        if before == synced {
            continue;
        }
        let is_prefix = before.starts_with(after);
        stats.add(Fault::LogBytesLost, after == synced);
        let is_torn = is_prefix && after.len() > synced.len() && after.len() < before.len();
        stats.add(Fault::LogBytesTorn, is_torn);
        stats.add(Fault::LogBytesReordered, !is_prefix && after != synced);
    }
    for name in synced.keys().filter(|name| !before.contains_key(*name)) {
        stats.add(Fault::RemovalLost, after.contains_key(name));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
