//! What was acknowledged is durable, whatever else is lost; and damage is reported by file and
//! offset.

mod contract;
mod crash;
mod damage;
mod format_1;
mod full;
mod hold;
mod hostile;
mod real_disk;
mod seal;
mod trim;

use std::collections::BTreeMap;
use std::sync::mpsc;

use runtime_seeded::chooser;

use super::*;
use crate::{
    disk::{Disk, RealDisk},
    frame::Magic,
    segment::{Header, file_name},
    sim_disk::{Operation, SimDisk},
};

const SEGMENT_BYTES: u64 = 600;

fn payload(partition: u16, lsn: u64) -> Bytes {
    Bytes::from(format!("record {lsn} of {partition} {}", "x".repeat((lsn % 40) as usize)))
}

fn batch(partition: u16, first: u64, count: u64) -> Batch {
    let records = (first..first + count).map(|lsn| payload(partition, lsn)).collect();
    Batch { partition: PartitionId(partition), first_lsn: Lsn(first), records }
}

fn barrier() -> Batch {
    Batch { partition: PartitionId(0), first_lsn: Lsn(0), records: Vec::new() }
}

fn read(log: &dyn Log, partition: u16, from: u64) -> Vec<(u64, Bytes)> {
    let records = log.read(PartitionId(partition), Lsn(from));
    records.map(|record| record.map(|(lsn, bytes)| (lsn.0, bytes)).unwrap()).collect()
}

fn expected(partition: u16, from: u64, to: u64) -> Vec<(u64, Bytes)> {
    (from..=to).map(|lsn| (lsn, payload(partition, lsn))).collect()
}

/// The whole content of a file.
fn content(disk: &SimDisk, name: &str) -> Vec<u8> {
    disk.read_at(name, 0, usize::MAX).unwrap()
}

fn header(disk: &SimDisk, name: &str) -> (Header, u64) {
    Header::decode(&Bytes::from(content(disk, name))).unwrap()
}

fn magic(disk: &SimDisk, name: &str) -> [u8; 8] {
    match header(disk, name).0.magic {
        Magic::Two(magic) => magic,
        Magic::One => panic!("{name} is of format 1"),
    }
}

/// A number below `bound`, as an index.
fn below(choose: &mut impl FnMut(u64) -> u64, bound: usize) -> usize {
    index(choose(bound as u64))
}

fn byte(choose: &mut impl FnMut(u64) -> u64) -> u8 {
    u8::try_from(choose(256)).unwrap()
}

fn id(choose: &mut impl FnMut(u64) -> u64, bound: u64) -> u16 {
    u16::try_from(choose(bound)).unwrap()
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

/// What a program that appends knows: the last record of each partition that was acknowledged, and
/// the last that was appended.
#[derive(Debug, Default)]
struct Known {
    acked: BTreeMap<u16, u64>,
    pushed: BTreeMap<u16, u64>,
    /// Receivers of acknowledgements, some of which may wait for disk space.
    told: Vec<mpsc::Receiver<(u16, u64)>>,
}

impl Known {
    /// Appends to both partitions and commits, `rounds` times.
    fn append(&mut self, log: &ManualLog<SimDisk>, rounds: u64) {
        for round in 0..rounds {
            let (acknowledged, told) = mpsc::channel();
            for partition in [0, 1] {
                let last = log.last_lsn(PartitionId(partition)).0;
                let count = 1 + (round + u64::from(partition)) % 3;
                let acknowledged = acknowledged.clone();
                self.pushed.insert(partition, last + count);
                log.append(
                    batch(partition, last + 1, count),
                    Box::new(move |outcome| {
                        if outcome.is_ok() {
                            acknowledged.send((partition, last + count)).unwrap();
                        }
                    }),
                );
            }
            log.commit();
            self.told.push(told);
            self.hear();
        }
    }

    fn hear(&mut self) {
        self.acked.extend(self.told.iter().flat_map(mpsc::Receiver::try_iter));
    }

    /// Checks a log after a crash: it has everything acknowledged, and nothing that was never
    /// appended.
    fn check(&mut self, log: &ManualLog<SimDisk>, what: &str) {
        self.hear();
        for partition in [0, 1] {
            let acked = self.acked.get(&partition).copied().unwrap_or(0);
            let pushed = self.pushed.get(&partition).copied().unwrap_or(0);
            let last = log.last_lsn(PartitionId(partition)).0;
            assert!(
                (acked..=pushed).contains(&last),
                "{what}: of partition {partition} {acked} acknowledged, {pushed} appended, {last} found"
            );
            let oldest = log.oldest(PartitionId(partition)).0;
            assert!(oldest <= TRIMMED + 1, "{what}: nothing before {oldest}");
            assert_eq!(read(log, partition, oldest), expected(partition, oldest, last), "{what}");
            // The process that opened the log acts on what was found.
            self.acked.insert(partition, last);
            self.pushed.insert(partition, last);
        }
    }
}

/// LSN up to which the script trims.
const TRIMMED: u64 = 8;

/// Appends a script of batches to two partitions, several per commit.
fn script(disk: &SimDisk) -> Known {
    let mut known = Known::default();
    let Ok(log) = ManualLog::open(disk.clone(), SEGMENT_BYTES) else { return known };
    known.append(&log, 7);
    log.trim(PartitionId(0), Lsn(TRIMMED));
    log.trim(PartitionId(1), Lsn(TRIMMED));
    known.append(&log, 3);
    let _ = log.seal();
    known.append(&log, 2);
    known
}
