//! What a log begins with when it is opened.
//!
//! Nobody knows how the last process ended. After an error of the disk the kernel may show what was
//! never written, and take it for clean, so that no sync writes it either. Only what stands before the
//! last position known as synced is certain. What is kept of the rest is copied into a new segment,
//! which is on disk before anybody acts on a record of it.
//!
//! The new segment's header names the last certain position as the length at which its predecessor was
//! closed, so what is copied stands in the log once, whenever the next crash comes: before the new
//! segment has its name the old tail counts, after that the copy does.

use std::collections::BTreeMap;
use std::io;

use crate::{
    Batch, Lsn, OpenError, PartitionId,
    active::{Active, Plan},
    disk::Disk,
    frame::{self, Position},
    recovery::Tail,
    room::{Options, Trouble},
    scan::{Flaw, Frames},
    segment,
};

/// The new segment, and the last record of each partition before it.
pub(crate) type Carried<F> = (Active<F>, BTreeMap<PartitionId, Lsn>);

/// Closes the last segment where it is certain, and carries what it has behind that into a new one.
/// `last_lsns` are those of all that was found.
pub(crate) fn carry<D: Disk>(
    disk: &D,
    tail: &Tail,
    last_lsns: &BTreeMap<PartitionId, Lsn>,
    options: &Options,
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
    options: &Options,
) -> Result<Carried<D::File>, Trouble> {
    let (mut before, mut carried_bytes) = (last_lsns.clone(), 0);
    let mut first_lsns = BTreeMap::new();
    each_batch(disk, tail, |batch| {
        carried_bytes += frame::batch_bytes(batch);
        first_lsns.entry(batch.partition).or_insert(batch.first_lsn);
        Ok(())
    })?;
    before.extend(first_lsns.into_iter().map(|(partition, first)| (partition, Lsn(first.0 - 1))));
    // The new segment needs the room that was allocated for the old one; there may be no other.
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

/// The batches behind the last certain position.
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
                let changed = format!("{name} was whole at offset {offset} and now: {reason}");
                Trouble::Failed(io::Error::new(io::ErrorKind::InvalidData, changed))
            }
        })?;
        // One without records is never written, and is nothing to carry.
        if let Some(batch) = frame.batch.filter(|batch| !batch.records.is_empty()) {
            each(&batch)?;
        }
    }
    Ok(())
}
