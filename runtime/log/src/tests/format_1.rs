//! Logs written by format 1 are opened, continue in the current format, and keep their meaning.

use bytes::BufMut;

use super::*;
use crate::frame::Position;

const SEAL: u16 = 2;
const BATCH: u16 = 1;

/// Encodes the header of a segment as format 1 did.
pub(super) fn header(number: u64, last_lsns: &BTreeMap<u16, u64>) -> Vec<u8> {
    let mut bytes = b"ABIDELOG".to_vec();
    bytes.put_u32(1);
    bytes.put_u64(number);
    bytes.put_u32(u32::try_from(last_lsns.len()).unwrap());
    for (partition, lsn) in last_lsns {
        bytes.put_u16(*partition);
        bytes.put_u64(*lsn);
    }
    bytes.put_u32(crc32c::crc32c(&bytes));
    bytes
}

/// Encodes the frame of a batch as format 1 did.
pub(super) fn encode_batch(batch: &Batch, synced: Position, into: &mut Vec<u8>) {
    let mut payload = Vec::new();
    for record in &batch.records {
        payload.put_u32(u32::try_from(record.len()).unwrap());
        payload.extend_from_slice(record);
    }
    let fields =
        (batch.partition.0, batch.first_lsn.0, u32::try_from(batch.records.len()).unwrap());
    encode(BATCH, fields, synced, &payload, into);
}

/// Encodes a seal as format 1 did.
pub(super) fn encode_seal(synced: Position, into: &mut Vec<u8>) {
    encode(SEAL, (0, 0, 0), synced, &[], into);
}

fn encode(
    kind: u16,
    (partition, first_lsn, count): (u16, u64, u32),
    synced: Position,
    payload: &[u8],
    into: &mut Vec<u8>,
) {
    let start = into.len();
    into.put_u32(0xAB1D_E106);
    into.put_u32(0);
    into.put_u32(u32::try_from(payload.len()).unwrap());
    into.put_u16(partition);
    into.put_u16(kind);
    into.put_u64(first_lsn);
    into.put_u32(count);
    into.put_u64(synced.segment);
    into.put_u64(synced.offset);
    into.extend_from_slice(payload);
    let crc = crc32c::crc32c(&into[start + 8..]);
    into[start + 4..start + 8].copy_from_slice(&crc.to_be_bytes());
}

/// Writes a format 1 segment with one batch of each partition in every commit.
fn write_segment(disk: &SimDisk, number: u64, last: u64, commits: u64) {
    let mut content = header(number, &BTreeMap::from([(0, last), (1, last)]));
    for lsn in last + 1..=last + commits {
        let synced = Position { segment: number, offset: content.len() as u64 };
        encode_batch(&batch(0, lsn, 1), synced, &mut content);
        encode_batch(&batch(1, lsn, 1), synced, &mut content);
    }
    disk.tamper(&file_name(number), |bytes| *bytes = content);
}

/// A log of two segments, with records 1 to 9 of two partitions.
fn old_log() -> SimDisk {
    let disk = SimDisk::default();
    write_segment(&disk, 1, 0, 5);
    write_segment(&disk, 2, 5, 4);
    disk
}

fn open(disk: &SimDisk) -> Result<ManualLog<SimDisk>, OpenError> {
    ManualLog::open(disk.clone(), 1 << 20)
}

#[test]
fn the_old_bytes_are_these() {
    let mut bytes = header(3, &BTreeMap::from([(1, 7)]));
    let batch = Batch {
        partition: PartitionId(1),
        first_lsn: Lsn(8),
        records: vec![Bytes::from_static(b"ab"), Bytes::from_static(b"")],
    };
    encode_batch(&batch, Position { segment: 3, offset: 38 }, &mut bytes);
    encode_seal(Position { segment: 3, offset: 92 }, &mut bytes);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, include_str!("format_1.hex").trim());
}

#[test]
fn an_old_log_is_read_extended_and_trimmed() {
    let disk = old_log();
    let log = open(&disk).unwrap();
    for partition in [0, 1] {
        assert_eq!(log.oldest(PartitionId(partition)), Lsn(1));
        assert_eq!(read(&log, partition, 1), expected(partition, 1, 9));
    }
    assert_eq!(disk.list().unwrap().pop().unwrap(), file_name(3));
    log.append(batch(0, 10, 2), Box::new(|outcome| outcome.unwrap()));
    log.commit();
    assert_eq!(read(&log, 0, 4), expected(0, 4, 11));
    drop(log);
    let log = open(&disk).unwrap();
    assert_eq!(read(&log, 0, 1), expected(0, 1, 11));
    assert_eq!(read(&log, 1, 1), expected(1, 1, 9));
    log.trim(PartitionId(0), Lsn(11));
    log.trim(PartitionId(1), Lsn(9));
    assert_eq!(disk.list().unwrap(), [file_name(4)]);
    assert_eq!(read(&log, 0, 1), expected(0, 10, 11));
}

/// Injects an error or a power cut at every operation of the switch to the current format.
#[test]
fn an_interrupted_change_of_format_is_begun_again() {
    let whole = old_log();
    open(&whole).unwrap();
    for at in 1..=whole.operations() {
        for seed in 0..40 {
            let disk = old_log();
            if seed % 2 == 0 {
                disk.power_cut_at(at)
            } else {
                disk.fail_at(at)
            }
            let _ = open(&disk);
            let disk = if seed % 2 == 0 { disk.crash(chooser(seed)) } else { disk };
            let log = open(&disk).unwrap_or_else(|error| panic!("operation {at}: {error}"));
            for partition in [0, 1] {
                assert_eq!(read(&log, partition, 1), expected(partition, 1, 9), "{at}, {seed}");
            }
            let log = open(&disk.crash(chooser(seed))).unwrap();
            assert_eq!(read(&log, 1, 1), expected(1, 1, 9), "{at}, {seed}");
        }
    }
}

#[test]
fn an_old_torn_tail_is_cut_and_old_damage_refused() {
    let len = content(&old_log(), &file_name(2)).len();
    let commit = 2 * (44 + 4 + payload(0, 9).len());
    for at in 0..len {
        let disk = old_log();
        disk.tamper(&file_name(2), |content| content[at] ^= 1 << (at % 8));
        match open(&disk) {
            Ok(log) => {
                assert!(at >= len - commit, "{at} of {len}");
                assert_eq!(read(&log, 0, 1), expected(0, 1, log.last_lsn(PartitionId(0)).0));
            }
            Err(OpenError::Damaged { file, offset, .. }) => {
                assert_eq!(file, file_name(2));
                assert!(offset <= at as u64);
            }
            Err(OpenError::Format { file, .. }) => assert_eq!(file, file_name(2)),
            Err(error) => panic!("{at}: {error}"),
        }
    }
    for cut in len - commit..len {
        let disk = old_log();
        disk.tamper(&file_name(2), |content| content.truncate(cut));
        let log = open(&disk).unwrap();
        assert_eq!(read(&log, 1, 1), expected(1, 1, 8));
    }
    let disk = old_log();
    disk.tamper(&file_name(1), |content| {
        content.pop();
    });
    assert!(matches!(open(&disk), Err(OpenError::Damaged { .. })));
}

/// What a crash of the old version left of a segment that it was creating.
#[test]
fn an_old_segment_that_was_never_finished_goes() {
    let whole = header(3, &BTreeMap::from([(0, 9), (1, 9)]));
    for len in 0..=whole.len() {
        for is_first_block_lost in [false, true] {
            let disk = old_log();
            disk.tamper(&file_name(3), |content| {
                content.extend_from_slice(&whole[..len]);
                if is_first_block_lost {
                    content.fill(0);
                }
            });
            let log = open(&disk).unwrap_or_else(|error| panic!("{len} bytes: {error}"));
            assert_eq!(read(&log, 0, 1), expected(0, 1, 9));
            assert_eq!(magic(&disk, &file_name(3)).len(), 8, "made anew");
        }
    }
    let alone = SimDisk::default();
    alone.tamper(&file_name(1), |content| content.extend_from_slice(b"ABIDE"));
    assert_eq!(open(&alone).unwrap().last_lsn(PartitionId(0)), Lsn(0));
}

/// Its predecessors were trimmed, so nothing else records these numbers.
#[test]
fn an_old_segment_with_nothing_but_numbers_is_kept() {
    let disk = SimDisk::default();
    disk.tamper(&file_name(7), |content| {
        *content = header(7, &BTreeMap::from([(0, 41), (1, 3)]));
    });
    let log = open(&disk).unwrap();
    assert_eq!((log.last_lsn(PartitionId(0)), log.oldest(PartitionId(0))), (Lsn(41), Lsn(42)));
    drop(log);
    let disk = disk.crash(|_| 0);
    disk.tamper(&file_name(7), |content| content.truncate(30));
    let error = open(&disk).err().unwrap();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}
