//! Hostile and unlucky clients at full size, against the program as users run it: built for release. They
//! are the tests of `runtime/server/tests/attacks`, which `cargo test` runs small, on a debug build, and
//! without a bound on time.

use crate::{Result, cargo::cargo_with};

/// Sizes, as those who found the faults had them.
const SIZES: [(&str, &str); 17] = [
    ("ATTACKS_FULL", "1"),
    ("ATTACKS_BODIES", "40"),
    ("ATTACKS_PAYLOADS", "40"),
    ("ATTACKS_CHUNKS", "5000000"),
    ("ATTACKS_READERS", "60"),
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
    // One after the other: each is to have the machine.
    let test = ["test", "--release", "-p", "runtime-server", "--test", "attacks"];
    let one_by_one = ["--", "--nocapture", "--test-threads=1"];
    cargo_with(&[&test[..], &one_by_one].concat(), &SIZES)
}
