//! The disk: what one durable append costs, and how much a directory holds.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

const APPENDS: usize = 200;
const APPEND_BYTES: usize = 4096;

/// The median of some appends of 4 KiB, each followed by fdatasync, to a new file in `directory`.
pub fn fdatasync_p50(directory: &Path) -> std::io::Result<Duration> {
    fs::create_dir_all(directory)?;
    let path = directory.join("fdatasync-probe");
    let mut file = File::create(&path)?;
    let mut durations = Vec::with_capacity(APPENDS);
    for _ in 0..APPENDS {
        let start = Instant::now();
        file.write_all(&[7; APPEND_BYTES])?;
        file.sync_data()?;
        durations.push(start.elapsed());
    }
    fs::remove_file(&path)?;
    durations.sort_unstable();
    Ok(durations[APPENDS / 2])
}

/// Bytes allocated to the files under a directory.
///
/// Files that vanish while it looks, as those of a compacting store do, count as nothing.
pub fn allocated_bytes(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    /// The unit of `st_blocks`, whatever the file system's own block size.
    const BLOCK_BYTES: u64 = 512;

    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => allocated_bytes(&entry.path()),
            Ok(metadata) => metadata.blocks() * BLOCK_BYTES,
            Err(_) => 0,
        })
        .sum()
}
