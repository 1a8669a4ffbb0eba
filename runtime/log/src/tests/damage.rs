//! Data that was on disk and is missing or has changed is refused, by file and offset.

use super::*;
use crate::{frame::HEADER_BYTES, frame::Position, scan::Frames};

/// Offsets of the frames of a segment, and the position that each records as synced.
fn frames(disk: &SimDisk, name: &str) -> Vec<(u64, Position)> {
    let (header, start) = header(disk, name);
    let end = disk.len(name).unwrap();
    let mut frames = Frames::new(disk, name, header.magic, start, end);
    let mut found = Vec::new();
    while let Some(Ok(frame)) = frames.read() {
        found.push((frames.offset() - frame.len, frame.synced));
    }
    found
}

/// The last segment, and the last position in it that the log records as synced.
fn certain(disk: &SimDisk) -> (String, u64) {
    let name = disk.list().unwrap().pop().unwrap();
    let made = header(disk, &name).0.made_bytes;
    let named = frames(disk, &name).into_iter().map(|(_, synced)| synced);
    let number = segment::number_of(&name).unwrap();
    let named = named.filter(|synced| synced.segment == number).map(|synced| synced.offset);
    (name, named.max().unwrap_or(made).max(made))
}

#[test]
fn a_flipped_bit_is_damage_and_named() {
    let disk = SimDisk::default();
    script(&disk);
    let names = disk.list().unwrap();
    assert!(names.len() > 2);
    let (last, certain) = certain(&disk);
    for name in &names {
        for at in 0..content(&disk, name).len() {
            let copy = disk.crash(|_| 1);
            copy.tamper(name, |content| content[at] ^= 1 << (at % 8));
            match ManualLog::open(copy, SEGMENT_BYTES) {
                Err(OpenError::Damaged { file, offset, .. }) => {
                    assert_eq!(&file, name);
                    assert!(offset <= at as u64, "{name} at {at}: {offset}");
                }
                Err(OpenError::Format { file, .. }) => assert_eq!(&file, name),
                Err(error) => panic!("{name} at {at}: {error}"),
                // No frame vouches for the last frames of the last segment.
                Ok(_) => assert!(name == &last && at as u64 >= certain, "{name} at {at}"),
            }
        }
    }
}

#[test]
fn damage_at_a_thousand_places_is_refused_by_name() {
    let mut choose = chooser(7);
    let mut refused = 0;
    for seed in 0..40 {
        let disk = SimDisk::new(seed);
        script(&disk);
        let (last, certain) = certain(&disk);
        for _ in 0..25 {
            let names = disk.list().unwrap();
            let name = &names[below(&mut choose, names.len())];
            let end = if *name == last { certain } else { disk.len(name).unwrap() };
            let from = choose(end);
            let len = 1 + choose(64).min(end - from - 1);
            let copy = disk.crash(|_| 1);
            let before = content(&copy, name);
            copy.tamper(name, |content| {
                for changed in &mut content[index(from)..index(from + len)] {
                    *changed = byte(&mut choose);
                }
            });
            if content(&copy, name) == before {
                continue;
            }
            let error = ManualLog::open(copy, SEGMENT_BYTES).err().unwrap();
            match error {
                OpenError::Damaged { file, offset, .. } => {
                    assert!(file == *name && offset <= from + len, "{file} at {offset}: {name}");
                }
                OpenError::Format { file, .. } => assert_eq!(file, *name),
                OpenError::Io { .. }
                | OpenError::SegmentMissing { .. }
                | OpenError::EndMissing { .. }
                | OpenError::BeginningMissing { .. }
                | OpenError::Stranger { .. } => panic!("{error}"),
            }
            refused += 1;
        }
    }
    assert!(refused > 950, "{refused}");
}

#[test]
fn a_closed_segment_that_was_cut_is_damage_also_at_a_frame_border() {
    let disk = SimDisk::default();
    script(&disk);
    let name = disk.list().unwrap().remove(0);
    let len = disk.len(&name).unwrap();
    for (border, _) in frames(&disk, &name) {
        let copy = disk.crash(|_| 1);
        copy.tamper(&name, |content| content.truncate(index(border)));
        let error = ManualLog::open(copy, SEGMENT_BYTES).err().unwrap();
        let OpenError::Damaged { file, offset, reason } = error else { panic!("{error}") };
        assert_eq!((file, offset), (name.clone(), border));
        assert!(reason.contains(&format!("closed with {len} bytes")), "{reason}");
    }
}

/// Format 1 could leave such files behind, and later formats cannot: what they held was
/// acknowledged.
#[test]
fn a_last_segment_that_has_lost_its_header_is_damage() {
    let disk = SimDisk::default();
    script(&disk);
    let name = disk.list().unwrap().pop().unwrap();
    for left in [vec![], vec![0; 72], vec![0; 4096], b"ABIDELOG\0\0\0\x01".to_vec()] {
        let copy = disk.crash(|_| 1);
        copy.tamper(&name, |content| content.clone_from(&left));
        let error = ManualLog::open(copy.clone(), SEGMENT_BYTES).err().unwrap();
        assert!(matches!(&error, OpenError::Damaged { file, .. } if *file == name), "{error}");
        assert!(copy.list().unwrap().contains(&name), "what is damaged stays as it is");
    }
}

#[test]
fn the_log_of_another_directory_is_refused_and_one_of_before_names_is_not() {
    let disk = SimDisk::default();
    let owner = Owner { directory: 7 << 100, partitions: 2 };
    let options = |owner| LogOptions { owner, ..LogOptions::from(SEGMENT_BYTES) };
    Known::default().append(&ManualLog::open(disk.clone(), options(owner)).unwrap(), 30);
    let others =
        [Owner { directory: 7, ..owner }, Owner { partitions: 3, ..owner }, Owner::default()];
    for other in others {
        let error = ManualLog::open(disk.crash(|_| 1), options(other)).err().unwrap();
        let first = file_name(1);
        assert!(matches!(&error, OpenError::Stranger { file } if *file == first), "{error}");
    }
    ManualLog::open(disk, options(owner)).unwrap();
    // Format 2 did not record the owner.
    let mut bytes = b"ABIDELOG\0\0\0\x02".to_vec();
    bytes.extend_from_slice(&9_u64.to_be_bytes());
    bytes.extend_from_slice(b"8 random");
    bytes.extend_from_slice(&[77_u64.to_be_bytes(), 48_u64.to_be_bytes()].concat());
    bytes.extend_from_slice(&0_u32.to_be_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
    let (header, len) = Header::decode(&Bytes::from(bytes)).unwrap();
    assert_eq!((header.number, header.owner, len), (9, None, 52));
    assert_eq!((header.magic, header.predecessor_bytes), (Magic::Two(*b"8 random"), Some(77)));
}

#[test]
fn the_last_segment_has_what_it_was_made_with() {
    let disk = SimDisk::default();
    let mut known = Known::default();
    known.append(&ManualLog::open(disk.clone(), 1 << 20).unwrap(), 3);
    // Frames that no other frame vouches for are carried over into a second segment.
    ManualLog::open(disk.clone(), 1 << 20).unwrap();
    let name = file_name(2);
    let carried = frames(&disk, &name);
    assert!(!carried.is_empty());
    for (border, _) in carried {
        let copy = disk.crash(|_| 1);
        copy.tamper(&name, |content| content.truncate(index(border)));
        let error = ManualLog::open(copy, 1 << 20).err().unwrap();
        assert!(
            matches!(&error, OpenError::Damaged { file, offset, .. } if *file == name && *offset == border),
            "{error}"
        );
    }
    // The old tail is no longer part of the log, whatever happens to it.
    let copy = disk.crash(|_| 1);
    copy.tamper(&file_name(1), |content| {
        let len = content.len();
        content[len - HEADER_BYTES..].fill(0xFF);
    });
    let log = ManualLog::open(copy, 1 << 20).unwrap();
    known.check(&log, "with a damaged old tail");
}

#[test]
fn a_sealed_log_vouches_for_its_last_batch() {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), 1 << 20).unwrap();
    assert!(log.is_sealed());
    log.append(batch(0, 1, 3), Box::new(|outcome| outcome.unwrap()));
    log.commit();
    assert!(!log.is_sealed());
    let end = index(disk.len(&file_name(1)).unwrap());
    log.seal().unwrap();
    assert!(log.is_sealed());
    drop(log);
    disk.tamper(&file_name(1), |content| content[end - 1] ^= 1);
    assert!(matches!(ManualLog::open(disk, 1 << 20), Err(OpenError::Damaged { .. })));
}

#[test]
fn a_missing_segment_and_an_unknown_format_are_refused() {
    let disk = SimDisk::default();
    script(&disk);
    let names = disk.list().unwrap();
    for unknown in [0, 4, 9] {
        for name in &names {
            let copy = disk.crash(|_| 1);
            copy.tamper(name, |content| content[11] = unknown);
            let error = ManualLog::open(copy, SEGMENT_BYTES).err().unwrap();
            let OpenError::Format { file, found, expected } = error else { panic!("{error}") };
            assert_eq!((&file, found, expected), (name, u32::from(unknown), 3));
        }
    }
    let copy = disk.crash(|_| 1);
    copy.remove(&names[1]).unwrap();
    let error = ManualLog::open(copy, SEGMENT_BYTES).err().unwrap();
    assert!(
        matches!(error, OpenError::SegmentMissing { missing } if file_name(missing) == names[1])
    );
}

/// A segment of another log, or of an older copy of this one.
#[test]
fn a_segment_that_does_not_follow_the_one_before_is_refused() {
    let disk = SimDisk::default();
    script(&disk);
    let name = disk.list().unwrap().pop().unwrap();
    let (mut header, start) = header(&disk, &name);
    let magic = magic(&disk, &name);
    for last in header.last_lsns.values_mut() {
        last.0 += 1;
    }
    disk.tamper(&name, |content| {
        content.truncate(index(start));
        *content = header.encode(magic);
    });
    let error = ManualLog::open(disk, SEGMENT_BYTES).err().unwrap();
    let OpenError::Damaged { file, reason, .. } = error else { panic!("{error}") };
    assert!(file == name && reason.contains("it follows record"), "{file}: {reason}");
}

/// The disk of a log that has one record and was not sealed, the name of its segment, and the
/// magic.
fn one_record() -> (SimDisk, String, [u8; 8]) {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), 1 << 20).unwrap();
    log.append(batch(0, 1, 1), Box::new(|outcome| outcome.unwrap()));
    log.commit();
    let name = file_name(1);
    let magic = magic(&disk, &name);
    (disk, name, magic)
}

/// An intact frame of this very segment that skips or repeats records: no crash produces that.
#[test]
fn a_record_that_does_not_follow_the_one_before_is_damage() {
    for first in [1, 3] {
        let (disk, name, magic) = one_record();
        let end = content(&disk, &name).len() as u64;
        let synced = Position { segment: 1, offset: end };
        disk.tamper(&name, |bytes| {
            crate::frame::encode_batch(magic, &batch(0, first, 1), synced, bytes);
        });
        let refused = ManualLog::open(disk, 1 << 20).err().unwrap().to_string();
        let reason = format!("record {first} of partition 0 follows record 1");
        assert!(refused.contains(&reason), "{refused}");
    }
}

/// Such a frame is never written, but it is intact: it is read as empty, even where it would be
/// carried over.
#[test]
fn a_frame_of_no_records_is_passed() {
    let (disk, name, magic) = one_record();
    disk.tamper(&name, |bytes| {
        let at = bytes.len();
        crate::frame::encode_seal(magic, Position { segment: 1, offset: 0 }, bytes);
        bytes[at + 19] = 1; // The kind: a batch.
        bytes[at + 27] = 2; // The first LSN.
        let crc = crc32c::crc32c(&bytes[at + 12..]);
        bytes[at + 8..at + 12].copy_from_slice(&crc.to_be_bytes());
    });
    for _ in 0..2 {
        let log = ManualLog::open(disk.clone(), 1 << 20).unwrap();
        assert_eq!(read(&log, 0, 1), expected(0, 1, 1));
        assert_eq!(log.last_lsn(PartitionId(0)), Lsn(1));
    }
}

#[test]
fn any_bytes_at_all_are_opened_or_refused() {
    let disk = SimDisk::default();
    script(&disk);
    let names = disk.list().unwrap();
    let whole = content(&disk, &names[0]);
    let mut choose = chooser(11);
    for _ in 0..3000 {
        let copy = disk.crash(|_| 1);
        let name = &names[below(&mut choose, names.len())];
        copy.tamper(name, |content| {
            match choose(4) {
                0 => *content = (0..choose(300)).map(|_| byte(&mut choose)).collect(),
                1 => content.truncate(below(&mut choose, whole.len())),
                2 => content.extend_from_slice(&whole[below(&mut choose, whole.len())..]),
                _ => (),
            }
            for _ in 0..choose(20) {
                if !content.is_empty() {
                    let at = below(&mut choose, content.len());
                    content[at] = byte(&mut choose);
                }
            }
            if content.len() > 12 && choose(2) == 0 {
                content[..12].copy_from_slice(&whole[..12]);
                content[11] = [1, 2][below(&mut choose, 2)];
            }
        });
        if let Ok(log) = ManualLog::open(copy, SEGMENT_BYTES) {
            for partition in [0, 1] {
                log.read(PartitionId(partition), Lsn(1)).for_each(drop);
            }
        }
    }
}
