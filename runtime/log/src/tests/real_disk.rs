//! The real disk makes the system calls that its promises require. This is observed from outside: a
//! library that records every sync is preloaded into a separate process.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

const DIR: &str = "ABIDE_TEST_LOG_DIR";

/// What the child process does; nothing in a normal test run.
#[test]
fn the_other_process() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let options = LogOptions { segment_bytes: 300, ..LogOptions::default() };
    let log = FileLog::open(Path::new(&dir), options).unwrap();
    for first in 1..=10 {
        let (told, hears) = mpsc::channel();
        log.append(batch(0, first, 1), Box::new(move |outcome| told.send(outcome).unwrap()));
        hears.recv().unwrap().unwrap();
        fs::write(Path::new(&dir).with_extension("told"), first.to_string()).unwrap();
        fs::rename(
            Path::new(&dir).with_extension("told"),
            Path::new(&dir).with_file_name(format!("acknowledged-{first}")),
        )
        .unwrap();
    }
    log.trim(PartitionId(0), Lsn(9));
}

/// The calls on files below `dir` that the library recorded, in order.
fn calls() -> (tempfile::TempDir, PathBuf, Vec<String>) {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().canonicalize().unwrap();
    let (library, notes, dir) = (root.join("syncs.so"), root.join("syncs"), root.join("data/log"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/syncs.c");
    fs::create_dir(root.join("data")).unwrap();
    let compiled = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()))
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status()
        .unwrap();
    assert!(compiled.success());
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::real_disk::the_other_process"])
        .env("LD_PRELOAD", &library)
        .env("SYNCS", &notes)
        .env(DIR, &dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let notes = fs::read_to_string(notes).unwrap_or_default();
    let prefix = format!(" {}", root.display());
    (temp, dir, notes.lines().map(|line| line.replace(&prefix, " ")).collect())
}

#[test]
fn what_is_acknowledged_was_synced() {
    let (_temp, _, calls) = calls();
    let at = |call: &str| calls.iter().position(|it| it == call);
    assert_eq!(calls[0], "sync /data", "the directory that `log/` is in: {calls:?}");
    // A segment is synced under its temporary name, renamed, and used once the rename is durable.
    let mut segments = 0;
    for (here, call) in calls.iter().enumerate().filter(|(_, call)| call.ends_with(".seg")) {
        let Some(name) = call.strip_prefix("rename ") else { continue };
        assert_eq!(calls[here - 1], format!("sync {name}.new"));
        assert_eq!(calls[here + 1], "sync /data/log", "after {call}");
        segments += 1;
    }
    assert!(segments > 2, "{calls:?}");
    // Every acknowledgement follows a sync of the segment that came after the previous
    // acknowledgement.
    let mut before = 0;
    for first in 1..=10 {
        let told = at(&format!("rename /data/acknowledged-{first}")).unwrap();
        let is_synced = calls[before..told]
            .iter()
            .any(|call| call.starts_with("sync /data/log/") && call.ends_with(".seg"));
        assert!(is_synced, "record {first}: {:?}", &calls[before..told]);
        before = told;
    }
    // Each removal is durable before the next one.
    let removed: Vec<usize> = calls
        .iter()
        .enumerate()
        .filter(|(_, call)| call.starts_with("remove ") && call.ends_with(".seg"))
        .map(|(here, _)| here)
        .collect();
    assert!(removed.len() > 1, "{calls:?}");
    for here in removed {
        assert_eq!(calls[here + 1], "sync /data/log", "after {}", calls[here]);
    }
}

#[test]
fn room_is_allocated_where_the_file_system_can() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().unwrap();
    let disk = RealDisk::open(dir.path()).unwrap();
    let mut file = disk.create("a").unwrap();
    disk.append(&mut file, b"abc").unwrap();
    let allocated = match disk.allocate(&mut file, 3, 1 << 20) {
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => return,
        outcome => outcome,
    };
    allocated.unwrap();
    let used = || fs::metadata(dir.path().join("a")).unwrap().blocks() * 512;
    assert!(used() >= 1 << 20);
    assert_eq!(disk.len("a").unwrap(), 3);
    disk.append(&mut file, b"def").unwrap();
    assert_eq!(disk.read_at("a", 0, 100).unwrap(), b"abcdef");
    disk.truncate(&mut file, 6).unwrap();
    assert!(used() < 1 << 20, "what was not used is given back");
    assert_ne!(disk.magic().unwrap(), disk.magic().unwrap());
}
