//! Hostile and faulty clients at full scale, against a release build as users run it. These are the
//! tests in `runtime/server/tests/attacks`, which `cargo test` runs at a small scale on a debug
//! build and without time limits.

use crate::{Result, cargo::cargo_with};

/// The sizes at which the faults were originally found.
const SIZES: [(&str, &str); 19] = [
    ("ATTACKS_FULL", "1"),
    ("ATTACKS_BODIES", "40"),
    ("ATTACKS_PAYLOADS", "40"),
    ("ATTACKS_CHUNKS", "5000000"),
    ("ATTACKS_READERS", "60"),
    ("ATTACKS_ROWS", "60"),
    ("ATTACKS_RESETTING", "100"),
    ("ATTACKS_FILES", "1024"),
    ("ATTACKS_SILENT", "1300"),
    ("ATTACKS_FIELDS", "15728640"),
    ("ATTACKS_EVIL", "20"),
    ("ATTACKS_CALLS", "40000"),
    ("ATTACKS_HANGING", "10000"),
    ("ATTACKS_RUNNING", "10000"),
    ("ATTACKS_STREAMS", "500"),
    ("ATTACKS_RESETS", "100000"),
    ("ATTACKS_HEADS", "20"),
    ("ATTACKS_HOSTS", "5000"),
    ("RUST_BACKTRACE", "0"),
];

pub(crate) fn run() -> Result<()> {
    // One at a time, because each needs the whole machine.
    let test = ["test", "--release", "-p", "runtime-server", "--test", "attacks"];
    let one_by_one = ["--", "--nocapture", "--test-threads=1"];
    cargo_with(&[&test[..], &one_by_one].concat(), &SIZES)
}
