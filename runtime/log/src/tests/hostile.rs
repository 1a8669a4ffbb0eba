//! Payloads from clients prove nothing: records may look like any part of a log.

use super::*;
use crate::{
    frame::{self, Position},
    tests::format_1,
};

/// A record that a client might send to make a torn tail look like damage, or like a longer log.
fn hostile(choose: &mut impl FnMut(u64) -> u64, old_magics: &[[u8; 8]]) -> Bytes {
    let far = Position { segment: 1 + choose(9), offset: choose(1 << 20) };
    let inner = batch(id(choose, 3), 1 + choose(40), 1 + choose(3));
    let mut bytes = vec![0; below(choose, 30)];
    match choose(6) {
        0 => format_1::encode_batch(&inner, far, &mut bytes),
        1 => format_1::encode_seal(far, &mut bytes),
        2 => {
            let random = choose(u64::MAX).to_be_bytes();
            let old = old_magics.get(below(choose, 4)).copied().unwrap_or(random);
            frame::encode_batch(old, &inner, far, &mut bytes);
            frame::encode_seal(old, far, &mut bytes);
        }
        3 => (0..choose(40)).for_each(|_| bytes.extend_from_slice(&[0xAB, 0x1D, 0xE1, 0x06])),
        4 => bytes.extend_from_slice(&format_1::header(choose(9), &BTreeMap::new())),
        _ => bytes.resize(below(choose, 900), 0xAB),
    }
    Bytes::from(bytes)
}

/// Appends hostile batches until the power is cut or `commits` commits were made. Returns
/// everything that was appended, in order, and how many batches were acknowledged.
fn run(disk: &SimDisk, choose: &mut impl FnMut(u64) -> u64, commits: u64) -> (Vec<Batch>, usize) {
    let (mut appended, mut acked) = (Vec::new(), 0);
    let Ok(log) = ManualLog::open(disk.clone(), 3000) else { return (appended, acked) };
    for _ in 0..commits {
        let (told, hears) = mpsc::channel();
        let names = disk.list().unwrap();
        let names = names.iter().filter(|name| segment::number_of(name).is_some());
        let mut magics: Vec<[u8; 8]> = names.map(|name| magic(disk, name)).collect();
        magics.pop(); // Clients never know the active segment's magic.
        for _ in 0..1 + choose(4) {
            let partition = PartitionId(id(choose, 3));
            let first_lsn = Lsn(log.last_lsn(partition).0 + 1);
            let records = (0..1 + choose(3)).map(|_| hostile(choose, &magics)).collect();
            let batch = Batch { partition, first_lsn, records };
            appended.push(batch.clone());
            let told = told.clone();
            log.append(batch, Box::new(move |outcome| told.send(outcome.is_ok()).unwrap()));
        }
        log.commit();
        if choose(8) == 0 {
            let _ = log.seal();
        }
        acked += hears.try_iter().filter(|is_durable| *is_durable).count();
        if disk.has_lost_power() {
            break;
        }
    }
    (appended, acked)
}

/// How many of the first batches of `appended` a log has; it must not have anything else.
fn found(log: &ManualLog<SimDisk>, appended: &[Batch]) -> usize {
    let mut rest: Vec<_> = (0..3).map(|id| log.read(PartitionId(id), Lsn(1))).collect();
    let mut count = 0;
    for batch in appended {
        let records = &mut rest[usize::from(batch.partition.0)];
        let read: Vec<_> = records.by_ref().take(batch.records.len()).map(Result::unwrap).collect();
        if read.is_empty() {
            break;
        }
        let lsns = (batch.first_lsn.0..).map(Lsn);
        assert_eq!(read, lsns.zip(batch.records.clone()).collect::<Vec<_>>());
        count += 1;
    }
    assert!(rest.iter_mut().all(|records| records.next().is_none()), "more than a prefix");
    count
}

#[test]
fn a_thousand_torn_tails_with_hostile_records_recover_what_was_acknowledged() {
    let (mut torn, mut seed) = (0, 0);
    while torn < 1000 {
        seed += 1;
        let mut choose = chooser(seed);
        let disk = SimDisk::new(seed);
        disk.power_cut_at(4 + choose(60));
        let (appended, acked) = run(&disk, &mut choose, 40);
        torn += u64::from(disk.at_risk().bytes > 0);
        let after = disk.crash(&mut choose);
        // Twice: what was carried over is as safe as the original.
        for life in 0..2 {
            let log = ManualLog::open(after.clone(), 3000)
                .unwrap_or_else(|error| panic!("seed {seed}, life {life}: {error}"));
            let found = found(&log, &appended);
            assert!(found >= acked, "seed {seed}: {acked} acknowledged, {found} found");
        }
    }
}

/// Opens a log whose second frame is broken and followed by a seal with the right magic, which
/// records the offset `named(offset of the broken frame, offset of the seal)` as synced. Returns
/// the last LSN.
fn with_a_last_frame_naming(named: impl Fn(u64, u64) -> u64) -> Result<u64, OpenError> {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), 1 << 20).unwrap();
    for first in 1..=2 {
        log.append(batch(0, first, 1), Box::new(|_| ()));
        log.commit();
    }
    let name = file_name(1);
    let (_, start) = header(&disk, &name);
    let first = start + frame::batch_bytes(&batch(0, 1, 1));
    let len = disk.len(&name).unwrap();
    let magic = magic(&disk, &name);
    disk.tamper(&name, |content| {
        let last = content.len() - 1;
        content[last] ^= 1;
        let synced = Position { segment: 1, offset: named(first, len) };
        frame::encode_seal(magic, synced, content);
    });
    Ok(ManualLog::open(disk, 1 << 20)?.last_lsn(PartitionId(0)).0)
}

#[test]
fn a_frame_proves_only_what_is_before_it() {
    // The second frame is broken, and no frame proves that it was ever intact.
    assert_eq!(with_a_last_frame_naming(|broken, _| broken).unwrap(), 1);
    // A frame after it proves that it was.
    let error = with_a_last_frame_naming(|broken, _| broken + 1).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    let error = with_a_last_frame_naming(|_, own| own).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    // A frame cannot prove anything about what comes after it.
    assert_eq!(with_a_last_frame_naming(|_, own| own + 1).unwrap(), 1);
    assert_eq!(with_a_last_frame_naming(|_, _| u64::MAX).unwrap(), 1);
}

/// Proof of damage is found at any distance, including across the boundary between two reads.
#[test]
fn a_proof_is_found_at_any_distance() {
    let chunk_bytes = 256 << 10;
    for distance in [60, chunk_bytes - 7, chunk_bytes - 1, chunk_bytes, 2 * chunk_bytes - 11] {
        let disk = SimDisk::default();
        ManualLog::open(disk.clone(), 1 << 20).unwrap();
        let name = file_name(1);
        let magic = magic(&disk, &name);
        disk.tamper(&name, |content| {
            let broken = content.len();
            content.resize(broken + distance, 0x11);
            let synced = Position { segment: 1, offset: (broken + 50) as u64 };
            frame::encode_seal(magic, synced, content);
        });
        let error = ManualLog::open(disk, 1 << 20).err();
        assert!(matches!(error, Some(OpenError::Damaged { .. })), "{distance}");
    }
}

/// Intact frames, too, may record a position that is not before them.
#[test]
fn a_whole_frame_that_names_what_is_behind_it_proves_nothing() {
    let disk = SimDisk::default();
    ManualLog::open(disk.clone(), 1 << 20).unwrap();
    let name = file_name(1);
    let magic = magic(&disk, &name);
    disk.tamper(&name, |content| {
        let synced = Position { segment: 1, offset: content.len() as u64 + 5000 };
        frame::encode_batch(magic, &batch(0, 1, 1), synced, content);
        content.extend_from_slice(&[7; 90]);
    });
    let log = ManualLog::open(disk, 1 << 20).unwrap();
    assert_eq!(read(&log, 0, 1), expected(0, 1, 1));
}

/// Searching for frames after a torn one computes no checksum for data that is not the segment's
/// own.
#[test]
fn headers_in_records_cost_nothing() {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), 64 << 20).unwrap();
    let mut body = Vec::new();
    while body.len() < 2 << 20 {
        let at = body.len();
        let far = Position { segment: 1, offset: 1 << 30 };
        frame::encode_seal([0x5A; 8], far, &mut body);
        // Each claims to be almost as long as the file.
        body[at + 12..at + 16].copy_from_slice(&(1_u32 << 20).to_be_bytes());
    }
    for first in 1..=2 {
        let records = vec![Bytes::from(body.clone())];
        let batch = Batch { partition: PartitionId(0), first_lsn: Lsn(first), records };
        log.append(batch, Box::new(|_| ()));
        log.commit();
    }
    let len = disk.len(&file_name(1)).unwrap();
    disk.tamper(&file_name(1), |content| content.truncate(index(len) - 1));
    let before = disk.bytes_read();
    let log = ManualLog::open(disk.clone(), 64 << 20).unwrap();
    assert_eq!(log.last_lsn(PartitionId(0)), Lsn(1));
    let read = disk.bytes_read() - before;
    assert!(read < 6 * len, "{read} bytes were read of a log of {len}");
}
