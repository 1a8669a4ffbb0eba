//! A storage medium in memory that loses, tears and refuses writes, for simulations and tests.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// The medium. Clones share it, so a test keeps hold of it across a crash.
#[derive(Debug, Clone, Default)]
pub struct SimBackend(Arc<Mutex<Medium>>);

#[derive(Debug, Default)]
struct Medium {
    /// What a crash leaves.
    synced: Vec<u8>,
    /// What the process sees.
    current: Vec<u8>,
    /// What was written since the last sync, in order.
    pending: Vec<Pending>,
    operations: u64,
    fail_at: Option<u64>,
}

#[derive(Debug, Clone)]
enum Pending {
    Write { offset: usize, data: Vec<u8> },
    SetLen(usize),
}

impl SimBackend {
    /// Writes, syncs and resizes so far.
    pub fn operations(&self) -> u64 {
        self.medium().operations
    }

    /// Refuses the operation with this number and all that follow.
    pub fn fail_at(&self, operation: u64) {
        self.medium().fail_at = Some(operation);
    }

    /// The medium that a crash would leave: of what was not synced, each write is kept, lost or
    /// torn as `choose(n)`, a number below `n`, says.
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
        let medium = Medium { synced: image.clone(), current: image, ..Medium::default() };
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
        Ok(medium)
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
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut medium = self.operate()?;
        // What was written is little beside the whole.
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
