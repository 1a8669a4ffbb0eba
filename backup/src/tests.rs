use std::collections::BTreeMap;
use std::process::Command;

use super::*;

fn about() -> About {
    let formats = BTreeMap::from([("rows".to_owned(), 6)]);
    About {
        format: FORMAT,
        writer: Writer { version: "1.2.3".to_owned(), needs: "1.0.0".to_owned(), formats },
        taken_at: "2026-11-28T07:00:00Z".to_owned(),
        partitions: vec![PartitionCut { tables_lsn: 7, last_lsn: 9 }],
        estimated_bytes: 100,
    }
}

/// A backup, and where each of its entries ends.
fn archive() -> (Vec<u8>, Vec<usize>) {
    let (mut packer, mut bytes) = Packer::new(about(), 1_700_000_000);
    let mut ends = vec![bytes.len()];
    let mut records = Vec::new();
    items::put(&mut records, b"eight");
    items::put(&mut records, b"");
    for (part, piece) in [
        (Part::Layout, &b"abide-data 2\n"[..]),
        (Part::Records(0), &records[..6]),
        (Part::Records(0), &records[6..]),
        (Part::Rows(0), &[7; 1024]),
    ] {
        bytes.extend(packer.piece(part, piece));
        ends.push(bytes.len());
    }
    bytes.extend(packer.finish());
    ends.push(bytes.len());
    (bytes, ends)
}

/// Unpacks in chunks of this many bytes, and puts the parts together.
fn unpack(
    archive: &[u8],
    chunk: usize,
) -> Result<(BTreeMap<Part, Vec<u8>>, Manifest), ArchiveError> {
    let (mut unpacker, mut parts) = (Unpacker::default(), BTreeMap::<Part, Vec<u8>>::new());
    for mut input in archive.chunks(chunk) {
        while let Some((part, piece)) = unpacker.next(&mut input)? {
            parts.entry(part).or_default().extend_from_slice(piece);
        }
    }
    assert_eq!(unpacker.bytes(), archive.len() as u64);
    Ok((parts, unpacker.finish()?))
}

#[test]
fn what_was_packed_comes_back_in_pieces_of_any_size() {
    let (archive, _) = archive();
    for chunk in [1, 3, 511, 512, 513, archive.len()] {
        let (parts, manifest) = unpack(&archive, chunk).unwrap();
        assert_eq!(manifest.about, about());
        assert_eq!(parts[&Part::Layout], b"abide-data 2\n");
        assert_eq!(parts[&Part::Rows(0)], [7; 1024]);
        let mut items = Items::default();
        items.push(&parts[&Part::Records(0)]);
        assert_eq!(items.take::<2>().unwrap(), Some([&b"eight"[..], b""]));
        items.finish().unwrap();
        assert_eq!(manifest.bytes(), 13 + 13 + 1024);
    }
}

#[test]
fn an_archive_that_ends_anywhere_is_not_a_backup() {
    let (archive, ends) = archive();
    let last = ends[ends.len() - 2];
    let header: &[u8; 512] = archive[last..].first_chunk().unwrap();
    let header = tar::Header::decode(header).unwrap().unwrap();
    let manifest = last + 512 + usize::try_from(header.bytes).unwrap();
    for len in (0..manifest).step_by(7).chain([manifest - 1]) {
        let error = unpack(&archive[..len], 4096).unwrap_err();
        let is_cut_off = matches!(error, ArchiveError::CutOff { bytes, .. } if bytes == len as u64);
        assert!(is_cut_off, "{len}: {error}");
    }
    // The zeros at the end say nothing.
    unpack(&archive[..manifest], 4096).unwrap();
    let error = unpack(&archive[..ends[2] - 512], 4096).unwrap_err().to_string();
    assert!(error.contains("in records-0.000001: it is not complete"), "{error}");
    let error = unpack(&archive[..ends[3]], 4096).unwrap_err().to_string();
    assert!(error.contains("after records-0, without a manifest"), "{error}");
}

#[test]
fn every_changed_bit_of_what_counts_is_noticed() {
    let (archive, ends) = archive();
    let mut before = 0;
    for end in &ends {
        let header: &[u8; 512] = archive[before..].first_chunk().unwrap();
        let header = tar::Header::decode(header).unwrap().unwrap();
        let content = before + 512..before + 512 + usize::try_from(header.bytes).unwrap();
        for at in (before..before + 100).chain(content) {
            let mut changed = archive.clone();
            changed[at] ^= 1 << (at % 7);
            // A changed format is a newer one.
            unpack(&changed, 1 << 20).unwrap_err();
        }
        before = *end;
    }
}

#[test]
fn what_is_wrong_is_said() {
    let (whole, ends) = archive();
    let error = |archive: &[u8]| unpack(archive, 1 << 20).unwrap_err().to_string();
    let mut changed = whole.clone();
    changed[ends[3] + 512] ^= 1;
    assert_eq!(error(&changed), "it is damaged: rows-0 does not match its checksum");
    // A piece is gone, or a whole part.
    let without = |from: usize, to: usize| [&whole[..from], &whole[to..]].concat();
    let gone = error(&without(ends[1], ends[2]));
    assert_eq!(gone, "it is damaged: piece 2 of records-0 follows piece 0");
    assert_eq!(error(&without(ends[3], ends[4])), "it is damaged: rows-0 is missing");
    let short = error(&without(ends[2], ends[3]));
    assert_eq!(short, "it is damaged: records-0 has 6 bytes, and should have 13");
    assert!(error(b"something else".repeat(99).as_slice()).starts_with("it is not a backup"));

    let (packer, mut given_up) = Packer::new(about(), 0);
    given_up.extend(packer.fail("the disk is full"));
    assert_eq!(error(&given_up), "the server gave it up: the disk is full");

    let newer = About { format: FORMAT + 1, ..about() };
    let (_, newer) = Packer::new(newer, 0);
    let newer = error(&newer);
    assert!(newer.contains("made by abide 1.2.3") && newer.contains("use abide 1.0.0"), "{newer}");
}

#[test]
fn an_item_that_no_node_can_have_is_refused() {
    let mut items = Items::default();
    items.push(&u32::MAX.to_be_bytes());
    assert!(matches!(items.take::<1>(), Err(ItemsError::TooLong(_))));
    let mut items = Items::default();
    items.push(&[0, 0, 0, 2, 1]);
    assert_eq!(items.take::<1>(), Ok(None));
    assert_eq!(items.finish(), Err(ItemsError::CutOff));
    items.push(&[1]);
    assert_eq!(items.take::<1>(), Ok(Some([&[1, 1][..]])));
}

#[test]
fn the_systems_tar_reads_it() {
    let (archive, _) = archive();
    let file = std::env::temp_dir().join(format!("abide-backup-{}.tar", std::process::id()));
    std::fs::write(&file, archive).unwrap();
    let listed = Command::new("tar").arg("tf").arg(&file).output();
    std::fs::remove_file(&file).unwrap();
    let listed = listed.unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    let expected = "ABOUT\nLAYOUT\nrecords-0.000001\nrecords-0.000002\nrows-0.000001\nMANIFEST\n";
    assert_eq!(names, expected, "{}", String::from_utf8_lossy(&listed.stderr));
}

/// What a stranger may have written must be harmless to whoever prints it or adds it up.
#[test]
fn a_backup_that_says_what_cannot_be_is_refused() {
    let refusal = |change: &dyn Fn(&mut About)| {
        let mut about = about();
        change(&mut about);
        let (packer, mut archive) = Packer::new(about, 1_700_000_000);
        archive.extend(packer.finish());
        unpack(&archive, archive.len()).unwrap_err().to_string()
    };
    let cut = |tables_lsn, last_lsn| {
        refusal(&move |about| about.partitions = vec![PartitionCut { tables_lsn, last_lsn }])
    };
    for (refusal, why) in [
        (cut(5, 1), "partition 0 has tables as of LSN 5, and records up to LSN 1"),
        (cut(0, u64::MAX), "records up to LSN 18446744073709551615"),
        (refusal(&|about| about.taken_at = "\u{1b}[2J".to_owned()), r#"it says "\u{1b}[2J" about"#),
        (refusal(&|about| about.writer.version = "9".repeat(101)), "it says \"999"),
        (
            refusal(&|about| {
                about.format = 9;
                about.writer.version = "9\u{1b}[2J".to_owned();
                about.writer.needs = "8.0.0".to_owned();
            }),
            "made by abide ?, and this version can read format",
        ),
    ] {
        assert!(refusal.contains(why), "{refusal}");
        assert!(!refusal.contains('\u{1b}'), "{refusal}");
    }
}
