//! What a log starts with when it is opened.
//!
//! How the last process ended is unknown. After a disk error the kernel may return data that was
//! never written and consider it clean, so that no later sync writes it either. Only what precedes
//! the last position known to be synced is certain. What is kept of the rest is copied into a new
//! segment, which is on disk before anything acts on its records.
//!
//! The new segment's header records the last certain position as the length at which its
//! predecessor was closed, so copied records are in the log exactly once, no matter when the next
//! crash comes: until the new segment has its name the old tail counts, and after that the copy
//! does.

use std::collections::BTreeMap;
use std::io;

use crate::{
    Batch, Lsn, OpenError, PartitionId,
    active::{Active, Plan},
    disk::Disk,
    disk_space::{LogOptions, Trouble},
    frame::{self, Position},
    recovery::Tail,
    scan::{Flaw, Frames},
    segment,
};

/// The new segment, and the LSN of the last record of each partition before it.
pub(crate) type Carried<F> = (Active<F>, BTreeMap<PartitionId, Lsn>);

/// Closes the last segment at its certain position and copies what follows into a new one.
/// `last_lsns` covers everything that was found.
pub(crate) fn carry<D: Disk>(
    disk: &D,
    tail: &Tail,
    last_lsns: &BTreeMap<PartitionId, Lsn>,
    options: &LogOptions,
) -> Result<Carried<D::File>, OpenError> {
    let number = tail.number + 1;
    let what = || {
        let (from, to) = (segment::file_name(tail.number), segment::file_name(number));
        format!("the tail of {from} cannot be copied into {to}")
    };
    copy(disk, tail, last_lsns, options)
        .map_err(|trouble| OpenError::Io { what: what(), source: trouble.into() })
}

fn copy<D: Disk>(
    disk: &D,
    tail: &Tail,
    last_lsns: &BTreeMap<PartitionId, Lsn>,
    options: &LogOptions,
) -> Result<Carried<D::File>, Trouble> {
    let (mut before, mut carried_bytes) = (last_lsns.clone(), 0);
    let mut first_lsns = BTreeMap::new();
    each_batch(disk, tail, |batch| {
        carried_bytes += frame::batch_bytes(batch);
        first_lsns.entry(batch.partition).or_insert(batch.first_lsn);
        Ok(())
    })?;
    before.extend(first_lsns.into_iter().map(|(partition, first)| (partition, Lsn(first.0 - 1))));
    // The new segment needs the space allocated to the old one; the disk may have no other.
    let mut old = disk.open(&segment::file_name(tail.number))?;
    disk.truncate(&mut old, tail.whole)?;
    let synced = Position { segment: tail.number, offset: tail.certain };
    let plan = Plan {
        number: tail.number + 1,
        predecessor_bytes: tail.certain,
        last_lsns: before.clone(),
        carried_bytes,
        needs_reserve: false,
    };
    let made = Active::make(disk, &plan, options, |made| {
        let mut buffer = Vec::new();
        each_batch(disk, tail, |batch| {
            frame::encode_batch(made.magic, batch, synced, &mut buffer);
            made.append(disk, &buffer)?;
            buffer.clear();
            Ok(())
        })
    })?;
    Ok((made, before))
}

/// Calls `each` for every batch after the last certain position.
fn each_batch<D: Disk>(
    disk: &D,
    tail: &Tail,
    mut each: impl FnMut(&Batch) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let name = segment::file_name(tail.number);
    let mut frames = Frames::new(disk, &name, tail.magic, tail.certain, tail.whole);
    while let Some(frame) = frames.read() {
        let frame = frame.map_err(|flaw| match flaw {
            Flaw::Io(error) => Trouble::Failed(error),
            Flaw::Broken(reason) => {
                let (name, offset) = (&name, frames.offset());
                let changed = format!("{name} was intact at offset {offset}, but now: {reason}");
                Trouble::Failed(io::Error::new(io::ErrorKind::InvalidData, changed))
            }
        })?;
        // Empty batches are never written, and there is nothing in them to carry over.
        if let Some(batch) = frame.batch.filter(|batch| !batch.records.is_empty()) {
            each(&batch)?;
        }
    }
    Ok(())
}
