//! Giving back what a file does not need any more.
//!
//! redb uses free pages again but never gives them back, so a file is as large as it ever was. What
//! is mostly free is made small when it is opened: while rows are read it can't be.

use std::path::Path;
use std::time::Instant;

use redb::{Database, ReadableDatabase};

use crate::{
    error::OpenError,
    format::{META, ROW_BYTES},
};

/// Smaller files are not worth it.
const FILE_BYTES_MIN: u64 = 32 << 20;

/// What is in use is moved at some 25 to 60 MB a second on a small cloud machine (two cores, measured
/// with rows of 200 bytes to 100 KB), so this is a start that takes ten seconds longer.
const USED_BYTES_MAX: u64 = 256 << 20;

/// Files of older versions do not say how much is in their rows. Counting reads some 400 MB a second.
const COUNTED_BYTES_MAX: u64 = 4 << 30;

/// What pages take for each byte of a row, at least, in quarters: 1.04 for large rows, 1.8 for small
/// ones.
const PAGES_PER_ROW_QUARTERS: u64 = 5;

/// Which part of a file is free, at most: an estimate from the bytes in its rows.
pub(crate) fn free_share(file_bytes: u64, row_bytes: u64) -> f64 {
    let used_bytes = row_bytes / 4 * PAGES_PER_ROW_QUARTERS;
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let used = used_bytes as f64 / file_bytes.max(1) as f64;
    (1.0 - used).max(0.0)
}

/// Makes a file small if more than half of it is free, and neither time nor room forbid it.
pub(crate) fn consider(
    database: &mut Database,
    path: &Path,
    file_bytes: u64,
) -> Result<(), OpenError> {
    let row_bytes = match row_bytes(database)? {
        Some(row_bytes) => row_bytes,
        None if file_bytes <= COUNTED_BYTES_MAX => count(database)?,
        None => return Ok(()),
    };
    if file_bytes < FILE_BYTES_MIN || free_share(file_bytes, row_bytes) <= 0.5 {
        return Ok(());
    }
    let used_bytes = used_bytes(database)?;
    if used_bytes > file_bytes / 2 {
        return Ok(());
    }
    let (file, used_mb, file_mb) = (path.display(), used_bytes >> 20, file_bytes >> 20);
    if used_bytes > USED_BYTES_MAX {
        tracing::info!(
            "{file} uses {used_mb} of its {file_mb} MB; it is too much to be compacted at a start"
        );
        return Ok(());
    }
    let room_bytes = room_bytes(path)?;
    if room_bytes < used_bytes {
        tracing::warn!(
            "{file} uses {used_mb} of its {file_mb} MB; compacting it needs as much room on the disk, \
             which has {} MB",
            room_bytes >> 20
        );
        return Ok(());
    }
    let begun = Instant::now();
    tracing::info!("{file} uses {used_mb} of its {file_mb} MB; compacting it");
    database.compact().map_err(redb::Error::from)?;
    tracing::info!("{file} is compacted; it took {} ms", begun.elapsed().as_millis());
    Ok(())
}

/// Bytes in keys and values, as the file says.
pub(crate) fn row_bytes(database: &Database) -> Result<Option<u64>, redb::Error> {
    let meta = database.begin_read()?.open_table(META)?;
    Ok(meta.get(ROW_BYTES)?.map(|bytes| bytes.value()))
}

/// Counts them and notes them down.
fn count(database: &Database) -> Result<u64, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    let row_bytes = transaction.stats()?.stored_bytes();
    transaction.open_table(META)?.insert(ROW_BYTES, row_bytes)?;
    transaction.commit()?;
    Ok(row_bytes)
}

/// Bytes of pages in use, exactly. Reads all of them.
fn used_bytes(database: &Database) -> Result<u64, redb::Error> {
    let transaction = database.begin_write()?;
    let stats = transaction.stats()?;
    let used_bytes = stats.allocated_pages() * stats.page_size() as u64;
    transaction.abort()?;
    Ok(used_bytes)
}

/// Bytes that the file system has for us.
fn room_bytes(path: &Path) -> Result<u64, OpenError> {
    let room = rustix::fs::statvfs(path).map_err(std::io::Error::from)?;
    Ok(room.f_bavail.saturating_mul(room.f_frsize))
}
