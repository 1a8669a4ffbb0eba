//! An in-memory storage medium for simulations and tests. It can lose, tear and fail writes, and be
//! full.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// The medium. Clones share it, so a test keeps access to it across a crash.
#[derive(Debug, Clone, Default)]
pub struct SimBackend(Arc<Mutex<Medium>>);

#[derive(Debug, Clone, Default)]
struct Medium {
    /// What survives a crash.
    synced: Vec<u8>,
    /// What the process sees.
    current: Vec<u8>,
    /// Operations since the last sync, in order.
    pending: Vec<Pending>,
    operations: u64,
    fail_at: Option<u64>,
    fail_once_at: Option<u64>,
    /// Blocks that were ever written and not truncated since; they occupy space.
    blocks: BTreeSet<u64>,
    blocks_max: Option<u64>,
    refusals: u64,
}

/// Space is accounted in blocks of this many bytes, as in a file system.
const BLOCK_BYTES: u64 = 4096;

#[derive(Debug, Clone)]
enum Pending {
    Write { offset: usize, data: Vec<u8> },
    SetLen(usize),
}

impl SimBackend {
    /// Number of writes, syncs and resizes so far.
    pub fn operations(&self) -> u64 {
        self.medium().operations
    }

    /// Fails the operation with this number and all that follow.
    pub fn fail_at(&self, operation: u64) {
        self.medium().fail_at = Some(operation);
    }

    /// Fails only the operation with this number, like a transient disk error.
    pub fn fail_once_at(&self, operation: u64) {
        self.medium().fail_once_at = Some(operation);
    }

    /// Limits the medium to `bytes_max` bytes, rounded up to whole blocks; `None` removes the
    /// limit. Writes to blocks that already exist still succeed. A caller that waits for space must
    /// do so on another thread.
    pub fn limit(&self, bytes_max: Option<u64>) {
        self.medium().blocks_max = bytes_max.map(|bytes| bytes.div_ceil(BLOCK_BYTES));
    }

    /// Fails the next `times` writes for lack of space, wherever they go. Meant for single-threaded
    /// simulations.
    pub fn refuse_room(&self, times: u64) {
        self.medium().refusals = times;
    }

    /// How many of those failures are still to come.
    pub fn refusals_left(&self) -> u64 {
        self.medium().refusals
    }

    /// Cancels all planned faults that have not occurred yet.
    pub fn forget_faults(&self) {
        let mut medium = self.medium();
        (medium.fail_at, medium.fail_once_at, medium.refusals) = (None, None, 0);
    }

    /// The medium as a killed process leaves it: everything it wrote, which a power loss may still
    /// take.
    pub fn keep(&self) -> Self {
        let kept = Self(Arc::new(Mutex::new(self.medium().clone())));
        kept.forget_faults();
        kept
    }

    /// Bytes of occupied space.
    pub fn room_taken(&self) -> u64 {
        self.medium().blocks.len() as u64 * BLOCK_BYTES
    }

    /// Bytes written and not synced: what a crash puts at risk.
    pub fn pending_bytes(&self) -> u64 {
        let pending = |pending: &Pending| match pending {
            Pending::Write { data, .. } => data.len() as u64,
            Pending::SetLen(_) => 0,
        };
        self.medium().pending.iter().map(pending).sum()
    }

    /// Returns the medium as a crash would leave it. Each unsynced write is kept, lost or torn
    /// depending on `choose(n)`, which returns a number below `n`.
    pub fn crash(&self, mut choose: impl FnMut(u64) -> u64) -> Self {
        let medium = self.medium();
        let mut image = medium.synced.clone();
        for pending in &medium.pending {
            let choice = choose(3);
            match pending {
                Pending::SetLen(len) if choice != 0 => image.resize(*len, 0),
                Pending::SetLen(_) => (),
                Pending::Write { offset, data } => {
                    let kept = match choice {
                        0 => 0,
                        1 => data.len(),
                        _ => usize::try_from(choose(data.len() as u64 + 1)).unwrap_or(0),
                    };
                    let end = offset + kept;
                    if kept > 0 && image.len() < end {
                        image.resize(end, 0);
                    }
                    image[*offset..end].copy_from_slice(&data[..kept]);
                }
            }
        }
        let blocks = medium.blocks.clone();
        let medium = Medium { synced: image.clone(), current: image, blocks, ..Medium::default() };
        Self(Arc::new(Mutex::new(medium)))
    }

    fn medium(&self) -> MutexGuard<'_, Medium> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn operate(&self) -> Result<MutexGuard<'_, Medium>, io::Error> {
        let mut medium = self.medium();
        medium.operations += 1;
        if medium.fail_at.is_some_and(|fail_at| medium.operations >= fail_at) {
            return Err(io::Error::other("injected fault"));
        }
        if medium.fail_once_at.is_some_and(|fail_at| medium.operations == fail_at) {
            return Err(io::Error::other("injected fault, once"));
        }
        Ok(medium)
    }
}

impl Medium {
    fn take_room(&mut self, offset: u64, bytes: u64) -> Result<(), io::Error> {
        let full = || Err(io::Error::from(io::ErrorKind::StorageFull));
        if let Some(refusals) = self.refusals.checked_sub(1) {
            self.refusals = refusals;
            return full();
        }
        let blocks = offset / BLOCK_BYTES..(offset + bytes).div_ceil(BLOCK_BYTES);
        let more = blocks.clone().filter(|block| !self.blocks.contains(block)).count() as u64;
        let is_full = |max: u64| self.blocks.len() as u64 + more > max;
        if more > 0 && self.blocks_max.is_some_and(is_full) {
            return full();
        }
        self.blocks.extend(blocks);
        Ok(())
    }
}

impl StorageBackend for SimBackend {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.medium().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let medium = self.medium();
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let part = medium.current.get(start..start + out.len());
        let part = part.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        out.copy_from_slice(part);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let mut medium = self.operate()?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        medium.current.resize(len, 0);
        medium.pending.push(Pending::SetLen(len));
        let blocks = (len as u64).div_ceil(BLOCK_BYTES);
        medium.blocks.retain(|block| *block < blocks);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut medium = self.operate()?;
        // Apply only the pending writes: they are small compared with the whole medium.
        for pending in std::mem::take(&mut medium.pending) {
            match pending {
                Pending::SetLen(len) => medium.synced.resize(len, 0),
                Pending::Write { offset, data } => {
                    let end = offset + data.len();
                    if medium.synced.len() < end {
                        medium.synced.resize(end, 0);
                    }
                    medium.synced[offset..end].copy_from_slice(&data);
                }
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut medium = self.operate()?;
        medium.take_room(offset, data.len() as u64)?;
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let end = offset + data.len();
        if medium.current.len() < end {
            medium.current.resize(end, 0);
        }
        medium.current[offset..end].copy_from_slice(data);
        medium.pending.push(Pending::Write { offset, data: data.to_vec() });
        Ok(())
    }
}
