//! A disk in memory that loses, tears and refuses writes, for simulations and tests.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::Disk;

/// The disk. Clones share it, so a test keeps hold of it across a crash.
#[derive(Debug, Clone, Default)]
pub struct SimDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What the process sees.
    files: BTreeMap<String, File>,
    /// Files whose directory entry is on disk.
    entries: BTreeMap<String, ()>,
    /// Files that were removed, but not for sure.
    removed: BTreeMap<String, File>,
    operations: u64,
    syncs: u64,
    fail_at: Option<u64>,
}

#[derive(Debug, Clone, Default)]
struct File {
    synced: Vec<u8>,
    /// Appends since the last sync, in order.
    pending: Vec<Vec<u8>>,
}

impl File {
    fn content(&self) -> Vec<u8> {
        let mut content = self.synced.clone();
        self.pending.iter().for_each(|part| content.extend_from_slice(part));
        content
    }
}

impl SimDisk {
    /// Writes, syncs, creations and removals so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Syncs of files so far.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Refuses the operation with this number and all that follow.
    pub fn fail_at(&self, operation: u64) {
        self.state().fail_at = Some(operation);
    }

    /// The disk that a crash would leave. Of each file's unsynced bytes a prefix stays, or blocks
    /// of it in any order with zeros between them, as `choose(n)`, a number below `n`, says;
    /// unsynced directory entries and removals happen or do not.
    pub fn crash(&self, mut choose: impl FnMut(u64) -> u64) -> Self {
        let state = self.state();
        let mut left = State::default();
        for (name, file) in &state.files {
            if !state.entries.contains_key(name) && choose(2) == 0 {
                continue;
            }
            left.files.insert(name.clone(), survive(file, &mut choose));
            left.entries.insert(name.clone(), ());
        }
        for (name, file) in &state.removed {
            if choose(2) == 0 {
                left.files.insert(name.clone(), survive(file, &mut choose));
                left.entries.insert(name.clone(), ());
            }
        }
        Self(Arc::new(Mutex::new(left)))
    }

    /// Changes a file behind everybody's back.
    pub fn tamper(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let file = state.files.entry(name.to_owned()).or_default();
        let mut content = file.content();
        change(&mut content);
        *file = File { synced: content, pending: Vec::new() };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn operate(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.operations += 1;
        if state.fail_at.is_some_and(|fail_at| state.operations >= fail_at) {
            return Err(io::Error::other("injected fault"));
        }
        Ok(state)
    }
}

/// Size of the blocks that reach the disk in any order.
const BLOCK_BYTES: usize = 512;

fn survive(file: &File, choose: &mut impl FnMut(u64) -> u64) -> File {
    let mut synced = file.synced.clone();
    let pending: Vec<u8> = file.pending.concat();
    match choose(4) {
        0 => (),
        1 => synced.extend_from_slice(&pending),
        2 => {
            let kept = usize::try_from(choose(pending.len() as u64 + 1)).unwrap_or(0);
            synced.extend_from_slice(&pending[..kept]);
        }
        _ => {
            for block in pending.chunks(BLOCK_BYTES) {
                if choose(2) == 0 {
                    synced.extend_from_slice(block);
                } else {
                    synced.resize(synced.len() + block.len(), 0);
                }
            }
        }
    }
    File { synced, pending: Vec::new() }
}

fn not_found(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, name.to_owned())
}

impl Disk for SimDisk {
    type File = String;

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().files.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.state();
        Ok(state.files.get(name).ok_or_else(|| not_found(name))?.content())
    }

    fn create(&self, name: &str) -> io::Result<String> {
        self.operate()?.files.insert(name.to_owned(), File::default());
        Ok(name.to_owned())
    }

    fn open(&self, name: &str) -> io::Result<String> {
        if self.state().files.contains_key(name) {
            Ok(name.to_owned())
        } else {
            Err(not_found(name))
        }
    }

    fn append(&self, file: &mut String, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.operate()?;
        let file = state.files.get_mut(file).ok_or_else(|| not_found(file))?;
        file.pending.push(bytes.to_vec());
        Ok(())
    }

    fn truncate(&self, file: &mut String, len: u64) -> io::Result<()> {
        let mut state = self.operate()?;
        let file = state.files.get_mut(file).ok_or_else(|| not_found(file))?;
        let mut content = file.content();
        content.truncate(usize::try_from(len).map_err(io::Error::other)?);
        *file = File { synced: content, pending: Vec::new() };
        Ok(())
    }

    fn sync(&self, file: &mut String) -> io::Result<()> {
        let mut state = self.operate()?;
        state.syncs += 1;
        let file = state.files.get_mut(file).ok_or_else(|| not_found(file))?;
        *file = File { synced: file.content(), pending: Vec::new() };
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.operate()?;
        state.entries = state.files.keys().map(|name| (name.clone(), ())).collect();
        state.removed.clear();
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.operate()?;
        let file = state.files.remove(name).ok_or_else(|| not_found(name))?;
        state.removed.insert(name.to_owned(), file);
        Ok(())
    }
}
