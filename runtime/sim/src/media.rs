//! The media under a node: simulated ones that are watched, so that it is known what a crash found at
//! risk, and that fail when they are told to.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;
use runtime_log::{disk::Disk, sim_disk::SimDisk};
use runtime_store::sim_backend::SimBackend;

use crate::{
    random::Random,
    stats::{Fault, Stats},
};

/// How operations fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// After so many, all of them: the power is gone.
    Cut(u64),
    /// After so many, one.
    Error(u64),
}

/// How operations fail, and whether one did.
#[derive(Debug, Clone, Copy, Default)]
struct Trouble {
    plan: Option<Plan>,
    has_failed: bool,
}

impl Trouble {
    /// Whether this operation fails.
    fn strikes(&mut self) -> bool {
        let left = match &mut self.plan {
            None => return false,
            Some(Plan::Cut(left) | Plan::Error(left)) => left,
        };
        if *left > 0 {
            *left -= 1;
            return false;
        }
        self.has_failed = true;
        if matches!(self.plan, Some(Plan::Error(_))) {
            self.plan = None;
        }
        true
    }

    fn is_off(&self) -> bool {
        self.has_failed && matches!(self.plan, Some(Plan::Cut(_)))
    }
}

fn injected() -> io::Error {
    io::Error::other("injected fault")
}

/// The log's disk.
#[derive(Debug, Clone, Default)]
pub struct WatchedDisk {
    disk: SimDisk,
    watch: Arc<Mutex<DiskWatch>>,
}

#[derive(Debug, Clone, Default)]
struct DiskWatch {
    trouble: Trouble,
    /// For each file that has unsynced bytes: how many are synced.
    unsynced: BTreeMap<String, usize>,
    new_entries: BTreeSet<String>,
    removals: BTreeSet<String>,
    /// Whether the power goes with the next operation on the directory, between it and its sync.
    is_entry_cut: bool,
    /// Whether syncs do nothing: a sabotage.
    is_deaf: bool,
}

impl DiskWatch {
    /// A file has been made or removed, and its directory is not synced.
    fn entry_changed(&mut self) {
        if std::mem::take(&mut self.is_entry_cut) {
            self.trouble.plan = Some(Plan::Cut(0));
        }
    }
}

impl WatchedDisk {
    fn watch(&self) -> MutexGuard<'_, DiskWatch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unsynced_at(&self, name: &str) -> io::Result<()> {
        let len = self.disk.read(name)?.len();
        self.watch().unsynced.entry(name.to_owned()).or_insert(len);
        Ok(())
    }

    /// Fails if it is to; `under_way` happens nevertheless, since nobody knows how far it got.
    fn operate<T>(
        &self,
        under_way: impl FnOnce() -> io::Result<()>,
        operation: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let strikes = self.watch().trouble.strikes();
        if strikes {
            under_way()?;
            return Err(injected());
        }
        operation()
    }

    /// What a loss of power leaves; counts what it found.
    fn lose_power(&self, random: &mut Random, stats: &mut Stats) -> Self {
        let left = self.disk.crash(|bound| random.below(bound));
        let watch = self.watch();
        for (name, synced) in &watch.unsynced {
            let before = self.disk.read(name).unwrap_or_default();
            if watch.new_entries.contains(name) || before.len() == *synced {
                continue;
            }
            let after = left.read(name).unwrap_or_default();
            let is_prefix = before.starts_with(&after);
            stats.add(Fault::LogBytesLost, after.len() == *synced);
            let is_torn = is_prefix && after.len() > *synced && after.len() < before.len();
            stats.add(Fault::LogBytesTorn, is_torn);
            stats.add(Fault::LogBytesReordered, !is_prefix);
        }
        for name in &watch.new_entries {
            stats.add(Fault::EntryLost, left.read(name).is_err());
        }
        for name in &watch.removals {
            stats.add(Fault::RemovalLost, left.read(name).is_ok());
        }
        drop(watch);
        Self { disk: left, watch: Arc::default() }
    }

    /// What a killed process leaves: everything, synced or not.
    fn keep(&self) -> Self {
        let watch =
            DiskWatch { trouble: Trouble::default(), is_entry_cut: false, ..self.watch().clone() };
        Self { disk: self.disk.clone(), watch: Arc::new(Mutex::new(watch)) }
    }
}

impl Disk for WatchedDisk {
    type File = String;

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.disk.read(name)
    }

    fn create(&self, name: &str) -> io::Result<String> {
        self.operate(
            || Ok(()),
            || {
                let mut watch = self.watch();
                watch.new_entries.insert(name.to_owned());
                watch.entry_changed();
                drop(watch);
                self.disk.create(name)
            },
        )
    }

    fn open(&self, name: &str) -> io::Result<String> {
        self.disk.open(name)
    }

    fn append(&self, file: &mut String, bytes: &[u8]) -> io::Result<()> {
        let (mut same, name) = (file.clone(), file.clone());
        let is_cut = matches!(self.watch().trouble.plan, Some(Plan::Cut(_)));
        // A refused write may have got half of the way; one during a power cut is in no order anyway.
        let half = if is_cut { bytes } else { &bytes[..bytes.len() / 2] };
        self.operate(
            || {
                self.unsynced_at(&name)?;
                self.disk.append(&mut same, half)
            },
            || {
                self.unsynced_at(&name)?;
                self.disk.append(file, bytes)
            },
        )
    }

    fn truncate(&self, file: &mut String, len: u64) -> io::Result<()> {
        self.operate(|| Ok(()), || self.disk.truncate(file, len))
    }

    fn sync(&self, file: &mut String) -> io::Result<()> {
        if self.watch().is_deaf {
            return Ok(());
        }
        self.operate(
            || Ok(()),
            || {
                self.watch().unsynced.remove(file);
                self.disk.sync(file)
            },
        )
    }

    fn sync_dir(&self) -> io::Result<()> {
        if self.watch().is_deaf {
            return Ok(());
        }
        self.operate(
            || Ok(()),
            || {
                let mut watch = self.watch();
                watch.new_entries.clear();
                watch.removals.clear();
                drop(watch);
                self.disk.sync_dir()
            },
        )
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.operate(
            || Ok(()),
            || {
                let mut watch = self.watch();
                watch.unsynced.remove(name);
                if !watch.new_entries.remove(name) {
                    watch.removals.insert(name.to_owned());
                }
                watch.entry_changed();
                drop(watch);
                self.disk.remove(name)
            },
        )
    }
}

/// The medium of one partition's tables.
#[derive(Debug, Clone, Default)]
pub struct WatchedBackend {
    backend: SimBackend,
    watch: Arc<Mutex<TableWatch>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct TableWatch {
    trouble: Trouble,
    unsynced: u64,
}

impl WatchedBackend {
    fn watch(&self) -> MutexGuard<'_, TableWatch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn strikes(&self) -> bool {
        self.watch().trouble.strikes()
    }

    fn crash(&self, choose: impl FnMut(u64) -> u64) -> Self {
        Self { backend: self.backend.crash(choose), watch: Arc::default() }
    }
}

impl StorageBackend for WatchedBackend {
    fn len(&self) -> Result<u64, io::Error> {
        self.backend.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.backend.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        if self.strikes() {
            return Err(injected());
        }
        self.watch().unsynced += 1;
        self.backend.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        if self.strikes() {
            return Err(injected());
        }
        self.watch().unsynced = 0;
        self.backend.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let strikes = self.strikes();
        self.watch().unsynced += 1;
        self.backend.write(offset, data)?;
        if strikes { Err(injected()) } else { Ok(()) }
    }
}

/// What outlives a node.
#[derive(Debug, Clone, Default)]
pub struct Media {
    pub(crate) disk: WatchedDisk,
    pub(crate) backends: Vec<WatchedBackend>,
}

impl Media {
    /// Empty media for so many partitions.
    pub fn new(partitions: usize) -> Self {
        let backends = (0..partitions).map(|_| WatchedBackend::default()).collect();
        Self { disk: WatchedDisk::default(), backends }
    }

    /// How many partitions there are.
    pub fn count(&self) -> usize {
        self.backends.len()
    }

    /// The power goes with an operation of the log's disk that is so many away.
    pub fn cut_log_after(&self, operations: u64) {
        self.disk.watch().trouble.plan = Some(Plan::Cut(operations));
    }

    /// The power goes when a file of the log has been made or removed, before that is synced.
    pub fn cut_log_at_entry(&self) {
        self.disk.watch().is_entry_cut = true;
    }

    /// An operation of the log's disk that is so many away fails.
    pub fn fail_log_after(&self, operations: u64) {
        self.disk.watch().trouble.plan = Some(Plan::Error(operations));
    }

    /// The power goes with an operation of a partition's tables.
    pub fn cut_tables_after(&self, partition: usize, operations: u64) {
        self.backends[partition].watch().trouble.plan = Some(Plan::Cut(operations));
    }

    /// An operation of a partition's tables fails.
    pub fn fail_tables_after(&self, partition: usize, operations: u64) {
        self.backends[partition].watch().trouble.plan = Some(Plan::Error(operations));
    }

    /// Nothing more is written: a database that is dropped would tidy up, which one that crashes can't.
    pub(crate) fn close(&self) {
        for backend in &self.backends {
            backend.watch().trouble.plan = Some(Plan::Cut(0));
        }
    }

    /// Nothing fails any more that has not failed yet.
    pub fn calm(&self) {
        let mut watch = self.disk.watch();
        (watch.trouble.plan, watch.is_entry_cut) = (None, false);
        drop(watch);
        self.backends.iter().for_each(|backend| backend.watch().trouble.plan = None);
    }

    /// Whether the power has gone, and where.
    pub fn is_off(&self) -> Option<Fault> {
        if self.disk.watch().trouble.is_off() {
            return Some(Fault::LogPowerCut);
        }
        let is_off = self.backends.iter().any(|backend| backend.watch().trouble.is_off());
        is_off.then_some(Fault::CheckpointCut)
    }

    /// Whether an operation of the log was refused.
    pub fn has_log_failed(&self) -> bool {
        self.disk.watch().trouble.has_failed
    }

    /// Whether an operation of the tables was refused.
    pub fn have_tables_failed(&self) -> bool {
        self.backends.iter().any(|backend| backend.watch().trouble.has_failed)
    }

    /// Whether the log has bytes that are not synced.
    pub fn has_unsynced_log(&self) -> bool {
        !self.disk.watch().unsynced.is_empty()
    }

    /// Whether a table has writes that are not synced.
    pub fn have_unsynced_tables(&self) -> bool {
        self.backends.iter().any(|backend| backend.watch().unsynced > 0)
    }

    /// Whether no log was ever on them.
    pub(crate) fn is_new(&self) -> bool {
        self.disk.disk.list().is_ok_and(|names| names.is_empty())
    }

    /// Whether syncs of the log do nothing.
    pub(crate) fn set_deaf(&self, is_deaf: bool) {
        self.disk.watch().is_deaf = is_deaf;
    }

    /// What a loss of power leaves.
    pub(crate) fn lose_power(&self, random: &mut Random, stats: &mut Stats) -> Self {
        let disk = self.disk.lose_power(random, stats);
        let backends = self.backends.iter();
        let backends = backends.map(|backend| backend.crash(|bound| random.below(bound)));
        Self { disk, backends: backends.collect() }
    }

    /// What a killed process leaves.
    pub(crate) fn keep(&self) -> Self {
        // A copy: what drops the old database would write to it. Its writes are all kept.
        let backends = self.backends.iter().map(|backend| backend.crash(|_| 1));
        Self { disk: self.disk.keep(), backends: backends.collect() }
    }
}
