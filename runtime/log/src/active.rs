//! The segment being written: how it is created, how it grows, and the disk space it has.

use std::collections::BTreeMap;
use std::io;

use crate::{
    Lsn, PartitionId,
    disk::Disk,
    disk_space::{LogOptions, Trouble},
    frame::{Magic, Position},
    segment::{self, Header},
};

/// The segment being written.
#[derive(Debug)]
pub(crate) struct Active<F> {
    file: F,
    pub(crate) magic: [u8; 8],
    /// Where the next frame goes. Everything before it is on disk.
    pub(crate) end: Position,
    /// Length the file can reach without another allocation; `None` if space cannot be allocated.
    allocated: Option<u64>,
    /// Bytes after `end` that were written completely but are not synced yet.
    appended_bytes: u64,
    /// Whether a partial write may follow these bytes, because an append has failed.
    is_ragged: bool,
}

/// A segment to be created.
pub(crate) struct Plan {
    pub(crate) number: u64,
    /// Length at which its predecessor is closed; 0 for the first segment.
    pub(crate) predecessor_bytes: u64,
    /// LSN of the last record of each partition before this segment.
    pub(crate) last_lsns: BTreeMap<PartitionId, Lsn>,
    /// Bytes of the frames that are carried over into it.
    pub(crate) carried_bytes: u64,
    /// Whether to create it only if the reserve fits on the disk as well.
    pub(crate) needs_reserve: bool,
}

impl<F> Active<F> {
    /// A segment that exists and is complete and on disk up to `end`.
    pub(crate) fn at(file: F, magic: [u8; 8], end: Position) -> Self {
        let allocated = Some(end.offset);
        Self { file, magic, end, allocated, appended_bytes: 0, is_ragged: false }
    }

    /// Creates a segment; `carry` appends the frames that it starts with. Leaves nothing behind if
    /// this fails with [`Trouble::Full`].
    pub(crate) fn make<D: Disk<File = F>>(
        disk: &D,
        plan: &Plan,
        options: &LogOptions,
        carry: impl FnOnce(&mut Self) -> Result<(), Trouble>,
    ) -> Result<Self, Trouble> {
        let unfinished = segment::unfinished_name(plan.number);
        // Once a segment's name is visible, all of its content is on disk.
        let made = Self::write(disk, plan, options, carry).and_then(|made| {
            disk.rename(&unfinished, &segment::file_name(plan.number))?;
            Ok(made)
        });
        match made {
            Ok(mut made) => {
                // Do not use the segment before its name is durable.
                disk.sync_dir().map_err(Trouble::Failed)?;
                made.end.offset = made_bytes(plan);
                Ok(made)
            }
            Err(trouble) => {
                // A leftover file is replaced, or removed when the log is next opened.
                let _ = disk.remove(&unfinished);
                Err(trouble)
            }
        }
    }

    fn write<D: Disk<File = F>>(
        disk: &D,
        plan: &Plan,
        options: &LogOptions,
        carry: impl FnOnce(&mut Self) -> Result<(), Trouble>,
    ) -> Result<Self, Trouble> {
        let magic = disk.magic()?;
        let header = Header {
            number: plan.number,
            magic: Magic::Two(magic),
            owner: Some(options.owner),
            predecessor_bytes: Some(plan.predecessor_bytes),
            made_bytes: made_bytes(plan),
            last_lsns: plan.last_lsns.clone(),
        };
        let file = disk.create(&segment::unfinished_name(plan.number))?;
        let mut made = Self::at(file, magic, Position { segment: plan.number, offset: 0 });
        let reserved = header.made_bytes + options.reserve_bytes;
        let least = if plan.needs_reserve { reserved } else { header.made_bytes };
        made.allocate(disk, &[reserved + options.step_bytes, reserved, least])?;
        made.append(disk, &header.encode(magic))?;
        carry(&mut made)?;
        // The file is not in use yet, so an error here never leads to a retry on pages that the
        // kernel failed to write.
        disk.sync(&mut made.file)?;
        let len = disk.len(&segment::unfinished_name(plan.number))?;
        assert!(
            len == header.made_bytes,
            "segment {} was created with {len} bytes, but its header says {}",
            plan.number,
            header.made_bytes
        );
        made.appended_bytes = 0;
        Ok(made)
    }

    /// Appends bytes. They count only once [`Active::sync`] has returned.
    pub(crate) fn append<D: Disk<File = F>>(
        &mut self,
        disk: &D,
        bytes: &[u8],
    ) -> Result<(), Trouble> {
        let segment = self.end.segment;
        let at = self.end.offset + self.appended_bytes;
        let to = at + bytes.len() as u64;
        assert!(
            !self.is_ragged,
            "segment {segment} is appended to at offset {at}, after a partial write"
        );
        assert!(
            self.allocated.is_none_or(|allocated| to <= allocated),
            "segment {segment} is written up to offset {to}, but only allocated up to {:?}",
            self.allocated
        );
        self.is_ragged = true;
        disk.append(&mut self.file, bytes)?;
        self.is_ragged = false;
        self.appended_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Makes the `bytes` that were appended since the last sync durable. An error here is
    /// permanent: the kernel may mark pages clean that it could not write.
    pub(crate) fn sync<D: Disk<File = F>>(&mut self, disk: &D, bytes: u64) -> Result<(), Trouble> {
        assert!(
            bytes == self.appended_bytes,
            "segment {} has {} bytes after offset {}, but {bytes} are to be synced",
            self.end.segment,
            self.appended_bytes,
            self.end.offset
        );
        disk.sync(&mut self.file).map_err(Trouble::Failed)?;
        self.end.offset += bytes;
        self.appended_bytes = 0;
        Ok(())
    }

    /// Truncates what a failed append left behind.
    pub(crate) fn mend<D: Disk<File = F>>(&mut self, disk: &D) -> Result<(), Trouble> {
        if self.is_ragged || self.appended_bytes > 0 {
            self.give_back(disk)?;
        }
        Ok(())
    }

    /// Releases the space after the end, along with anything written there.
    pub(crate) fn give_back<D: Disk<File = F>>(&mut self, disk: &D) -> Result<(), Trouble> {
        disk.truncate(&mut self.file, self.end.offset)?;
        self.allocated = self.allocated.map(|_| self.end.offset);
        self.appended_bytes = 0;
        self.is_ragged = false;
        Ok(())
    }

    /// Ensures that there is space for `bytes` and the reserve after them. Fails with
    /// [`Trouble::Full`] only if not even `bytes` and `left` fit.
    pub(crate) fn make_room<D: Disk<File = F>>(
        &mut self,
        disk: &D,
        bytes: u64,
        left: u64,
        options: &LogOptions,
    ) -> Result<(), Trouble> {
        let reserved = self.end.offset + bytes + options.reserve_bytes;
        let least = self.end.offset + bytes + left;
        if self.allocated.is_none_or(|allocated| allocated >= reserved) {
            return Ok(());
        }
        self.allocate(disk, &[reserved + options.step_bytes, reserved, least])?;
        assert!(
            self.room_bytes().is_none_or(|room| room >= bytes + left),
            "segment {} needs space for {bytes} and {left} bytes after offset {}, but has {:?}",
            self.end.segment,
            self.end.offset,
            self.room_bytes()
        );
        Ok(())
    }

    /// Bytes that can be appended without another allocation; `None` if that is unknown.
    pub(crate) fn room_bytes(&self) -> Option<u64> {
        self.allocated.map(|allocated| allocated - self.end.offset)
    }

    /// Allocates up to the first of these lengths that fits on the disk.
    fn allocate<D: Disk<File = F>>(&mut self, disk: &D, lengths: &[u64]) -> Result<(), Trouble> {
        for &length in lengths {
            let Some(allocated) = self.allocated.filter(|allocated| *allocated < length) else {
                return Ok(());
            };
            match disk.allocate(&mut self.file, allocated, length) {
                Ok(()) => {
                    self.allocated = Some(length);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    self.allocated = None;
                    return Ok(());
                }
                Err(error) => match Trouble::from(error) {
                    Trouble::Full => (),
                    failed @ Trouble::Failed(_) => return Err(failed),
                },
            }
        }
        Err(Trouble::Full)
    }
}

fn made_bytes(plan: &Plan) -> u64 {
    segment::header_bytes(plan.last_lsns.len()) + plan.carried_bytes
}
