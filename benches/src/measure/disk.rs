//! The disk: the cost of a durable append, and the size of a directory.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

const APPENDS: usize = 200;
const APPEND_BYTES: usize = 4096;

/// Measures the median time of a 4 KiB append followed by fdatasync, on a new file in `directory`.
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

/// Bytes allocated to the files in a directory tree.
///
/// Files that vanish during the scan, as in a compacting store, are ignored.
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
