//! A disk in memory that loses, tears and refuses writes, and fills up: for simulations and tests.

mod content;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runtime_seeded::Random;

use crate::disk::Disk;
use content::Content;

/// A simulated disk. Clones share its state, so a test keeps access to it across a crash.
#[derive(Debug, Clone, Default)]
pub struct SimDisk(Arc<Mutex<State>>);

/// The operations that change a disk. Each of them is counted and can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// A file is created.
    Create,
    /// Bytes are appended to a file.
    Append,
    /// A file is truncated.
    Truncate,
    /// Space is allocated for a file.
    Allocate,
    /// A file is synced.
    Sync,
    /// A file is renamed.
    Rename,
    /// The directory is synced.
    SyncDir,
    /// A file is removed.
    Remove,
}

/// What a crash may lose at some moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AtRisk {
    /// Bytes that were written but not synced, or were lost by a failed sync.
    pub bytes: u64,
    /// Files created or renamed since the directory was last synced.
    pub entries: u64,
    /// Files removed since the directory was last synced, which may come back.
    pub removals: u64,
}

#[derive(Debug, Default)]
struct State {
    contents: BTreeMap<FileId, Content>,
    next_id: FileId,
    /// The directory as the process sees it.
    names: BTreeMap<String, FileId>,
    names_on_disk: BTreeMap<String, FileId>,
    /// Changes to names since the directory was last synced, in order.
    pending: Vec<Naming>,
    operations: u64,
    syncs: u64,
    bytes_read: u64,
    magics: Random,
    power_cut_at: Option<u64>,
    faults_at: BTreeSet<u64>,
    faults_next: BTreeSet<Operation>,
    capacity_bytes: Option<u64>,
    cannot_allocate: bool,
}

type FileId = u64;

#[derive(Debug, Clone)]
enum Naming {
    Create(String, FileId),
    Rename(String, String, FileId),
    Remove(String),
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<String, FileId>) {
        match self {
            Self::Create(name, id) => {
                names.insert(name.clone(), *id);
            }
            Self::Rename(from, to, id) => {
                names.remove(from);
                names.insert(to.clone(), *id);
            }
            Self::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

impl SimDisk {
    /// A disk whose segment magics are derived from a seed.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State { magics: Random::new(seed), ..State::default() })))
    }

    /// Number of operations so far, including those that failed.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Number of file syncs so far.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Number of bytes read from files so far.
    pub fn bytes_read(&self) -> u64 {
        self.state().bytes_read
    }

    /// Cuts the power at the operation with this number: it fails, as do all that follow, and the
    /// test can only continue with [`SimDisk::crash`].
    pub fn power_cut_at(&self, operation: u64) {
        self.state().power_cut_at = Some(operation);
    }

    /// Whether the power has been cut, so that every operation fails.
    pub fn has_lost_power(&self) -> bool {
        let state = self.state();
        state.power_cut_at.is_some_and(|at| state.operations >= at)
    }

    /// Makes the operation with this number fail, once. A failed append writes half of its bytes.
    /// What a failed sync should have written stays visible, and no later sync writes it.
    pub fn fail_at(&self, operation: u64) {
        self.state().faults_at.insert(operation);
    }

    /// Makes the next operation of a kind fail, once.
    pub fn fail_next(&self, operation: Operation) {
        self.state().faults_next.insert(operation);
    }

    /// Cancels all faults that have not happened yet, and a power cut. A full disk stays full.
    pub fn forget_faults(&self) {
        let mut state = self.state();
        state.power_cut_at = None;
        state.faults_at.clear();
        state.faults_next.clear();
    }

    /// Sets how many bytes the disk holds; `None` means no limit. Allocated space counts as used.
    pub fn set_capacity_bytes(&self, capacity_bytes: Option<u64>) {
        self.state().capacity_bytes = capacity_bytes;
    }

    /// Bytes of the capacity that are in use.
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    /// Sets whether space can be allocated, which not every file system supports.
    pub fn set_allocation(&self, is_supported: bool) {
        self.state().cannot_allocate = !is_supported;
    }

    /// What a crash may lose now.
    pub fn at_risk(&self) -> AtRisk {
        let state = self.state();
        let files = state.names.values().filter_map(|id| state.contents.get(id));
        let removals = state.pending.iter().filter(|it| matches!(it, Naming::Remove(_))).count();
        AtRisk {
            bytes: files.map(Content::unsynced_bytes).sum(),
            entries: (state.pending.len() - removals) as u64,
            removals: removals as u64,
        }
    }

    /// The disk that a crash would leave. Of each file's unsynced bytes a prefix survives, or
    /// blocks in any order with zeros between them; unsynced creations, renames and removals happen
    /// or do not. `choose(n)` decides by returning a number below `n`. Faults that have not
    /// happened yet are dropped.
    pub fn crash(&self, mut choose: impl FnMut(u64) -> u64) -> Self {
        let state = self.state();
        let mut names = state.names_on_disk.clone();
        for naming in &state.pending {
            if choose(2) != 0 {
                naming.apply(&mut names);
            }
        }
        let survive = |id: &FileId| {
            let content = state.contents.get(id).cloned().unwrap_or_default();
            (*id, content.survive(&mut choose))
        };
        let left = State {
            contents: names.values().map(survive).collect(),
            next_id: state.next_id,
            names_on_disk: names.clone(),
            names,
            magics: state.magics.clone(),
            capacity_bytes: state.capacity_bytes,
            cannot_allocate: state.cannot_allocate,
            ..State::default()
        };
        Self(Arc::new(Mutex::new(left)))
    }

    /// Changes a file behind the log's back, creating it if it does not exist.
    pub fn tamper(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let id = state.names.get(name).copied();
        let id = id.unwrap_or_else(|| state.name_new(name));
        state.names_on_disk.insert(name.to_owned(), id);
        let mut bytes = state.contents.get(&id).map_or(Vec::new(), |file| file.bytes().to_vec());
        change(&mut bytes);
        state.contents.insert(id, Content::of(bytes));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation and returns whether it succeeds.
    fn operate(&self, operation: Operation) -> io::Result<(MutexGuard<'_, State>, Verdict)> {
        let mut state = self.state();
        state.operations += 1;
        let number = state.operations;
        if state.power_cut_at.is_some_and(|at| number >= at) {
            return Err(io::Error::other("the power is cut"));
        }
        let is_fault = state.faults_at.remove(&number) | state.faults_next.remove(&operation);
        let verdict = if is_fault { Err(io::Error::other("injected fault")) } else { Ok(()) };
        Ok((state, verdict))
    }
}

type Verdict = io::Result<()>;

impl State {
    fn name_new(&mut self, name: &str) -> FileId {
        let id = self.next_id;
        self.next_id += 1;
        self.names.insert(name.to_owned(), id);
        id
    }

    fn used_bytes(&self) -> u64 {
        self.names.values().filter_map(|id| self.contents.get(id)).map(Content::used_bytes).sum()
    }

    fn free_bytes(&self) -> u64 {
        self.capacity_bytes.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used_bytes()))
    }

    fn id(&self, name: &str) -> io::Result<FileId> {
        self.names.get(name).copied().ok_or_else(|| not_found(name))
    }

    fn content(&mut self, id: FileId) -> io::Result<&mut Content> {
        self.contents.get_mut(&id).ok_or_else(|| not_found("an open file"))
    }
}

fn not_found(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, name.to_owned())
}

impl Disk for SimDisk {
    type File = FileId;

    fn magic(&self) -> io::Result<[u8; 8]> {
        Ok(self.state().magics.next_u64().to_be_bytes())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        let mut state = self.state();
        let id = state.id(name)?;
        Ok(state.content(id)?.bytes().len() as u64)
    }

    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        let id = state.id(name)?;
        let bytes = state.content(id)?.bytes();
        let from = usize::try_from(offset).map_err(io::Error::other)?.min(bytes.len());
        let read = bytes[from..bytes.len().min(from.saturating_add(len))].to_vec();
        state.bytes_read += read.len() as u64;
        Ok(read)
    }

    fn create(&self, name: &str) -> io::Result<FileId> {
        let (mut state, verdict) = self.operate(Operation::Create)?;
        verdict?;
        let id = state.name_new(name);
        state.contents.insert(id, Content::default());
        state.pending.push(Naming::Create(name.to_owned(), id));
        Ok(id)
    }

    fn open(&self, name: &str) -> io::Result<FileId> {
        self.state().id(name)
    }

    fn append(&self, file: &mut FileId, bytes: &[u8]) -> io::Result<()> {
        let (mut state, verdict) = self.operate(Operation::Append)?;
        let free = state.free_bytes();
        let content = state.content(*file)?;
        if let Err(error) = verdict {
            content.append(&bytes[..bytes.len() / 2]);
            return Err(error);
        }
        let len = content.bytes().len() as u64;
        let fits = content.used_bytes().saturating_add(free) - len;
        let fitting = usize::try_from(fits).map_or(bytes.len(), |fits| bytes.len().min(fits));
        content.append(&bytes[..fitting]);
        if fitting < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&self, file: &mut FileId, len: u64) -> io::Result<()> {
        let (mut state, verdict) = self.operate(Operation::Truncate)?;
        verdict?;
        state.content(*file)?.truncate(usize::try_from(len).map_err(io::Error::other)?);
        Ok(())
    }

    fn allocate(&self, file: &mut FileId, _from: u64, to: u64) -> io::Result<()> {
        let (mut state, verdict) = self.operate(Operation::Allocate)?;
        verdict?;
        if state.cannot_allocate {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let free = state.free_bytes();
        let content = state.content(*file)?;
        if to.saturating_sub(content.used_bytes()) > free {
            return Err(io::ErrorKind::StorageFull.into());
        }
        content.allocate(to);
        Ok(())
    }

    fn sync(&self, file: &mut FileId) -> io::Result<()> {
        let (mut state, verdict) = self.operate(Operation::Sync)?;
        state.syncs += 1;
        let content = state.content(*file)?;
        match &verdict {
            Ok(()) => content.sync(),
            Err(_) => content.fail_to_sync(),
        }
        verdict
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (mut state, verdict) = self.operate(Operation::Rename)?;
        verdict?;
        let naming = Naming::Rename(from.to_owned(), to.to_owned(), state.id(from)?);
        naming.apply(&mut state.names);
        state.pending.push(naming);
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let (mut state, verdict) = self.operate(Operation::SyncDir)?;
        verdict?;
        state.names_on_disk = state.names.clone();
        state.pending.clear();
        let State { contents, names, .. } = &mut *state;
        contents.retain(|id, _| names.values().any(|named| named == id));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let (mut state, verdict) = self.operate(Operation::Remove)?;
        verdict?;
        state.id(name)?;
        state.names.remove(name);
        state.pending.push(Naming::Remove(name.to_owned()));
        Ok(())
    }
}
