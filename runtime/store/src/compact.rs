//! Returns unused space of a file to the file system.
//!
//! redb reuses free pages but never returns them, so a file stays as large as it ever was. A file
//! that is mostly free is compacted when it is opened, because that is not possible while rows are
//! read.

use std::path::Path;
use std::time::Instant;

use redb::{Database, ReadableDatabase};

use crate::{
    error::OpenError,
    format::{META, ROW_BYTES},
};

/// Smaller files are not worth compacting.
const FILE_BYTES_MIN: u64 = 32 << 20;

/// Compaction moves the pages in use at 25 to 60 MB/s on a small cloud machine (two cores, measured
/// with rows of 200 bytes to 100 KB), so this limit adds up to ten seconds to a start.
const USED_BYTES_MAX: u64 = 256 << 20;

/// Files of older versions do not track their row bytes. Counting reads about 400 MB/s.
const COUNTED_BYTES_MAX: u64 = 4 << 30;

/// Assumed page bytes per row byte, in quarters. Measured: 1.04 for large rows, 1.8 for small ones.
const PAGES_PER_ROW_QUARTERS: u64 = 5;

/// Estimates the free fraction of a file from its row bytes.
pub(crate) fn free_share(file_bytes: u64, row_bytes: u64) -> f64 {
    let used_bytes = row_bytes / 4 * PAGES_PER_ROW_QUARTERS;
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let used = used_bytes as f64 / file_bytes.max(1) as f64;
    (1.0 - used).max(0.0)
}

/// Compacts a file if more than half of it is free, and if neither time nor disk space forbids it.
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
            "{file} uses {used_mb} of its {file_mb} MB; that is too much to compact at a start"
        );
        return Ok(());
    }
    let room_bytes = room_bytes(path)?;
    if room_bytes < used_bytes {
        tracing::warn!(
            "{file} uses {used_mb} of its {file_mb} MB; compacting it needs as much free disk space, \
             but only {} MB are free",
            room_bytes >> 20
        );
        return Ok(());
    }
    let begun = Instant::now();
    tracing::info!("{file} uses {used_mb} of its {file_mb} MB; compacting it");
    database.compact().map_err(redb::Error::from)?;
    tracing::info!("{file} has been compacted in {} ms", begun.elapsed().as_millis());
    Ok(())
}

/// Bytes of keys and values, as recorded in the file.
pub(crate) fn row_bytes(database: &Database) -> Result<Option<u64>, redb::Error> {
    let meta = database.begin_read()?.open_table(META)?;
    Ok(meta.get(ROW_BYTES)?.map(|bytes| bytes.value()))
}

/// Counts the bytes of keys and values, and records them in the file.
fn count(database: &Database) -> Result<u64, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    let row_bytes = transaction.stats()?.stored_bytes();
    transaction.open_table(META)?.insert(ROW_BYTES, row_bytes)?;
    transaction.commit()?;
    Ok(row_bytes)
}

/// Exact number of bytes in used pages. Reads all of them.
fn used_bytes(database: &Database) -> Result<u64, redb::Error> {
    let transaction = database.begin_write()?;
    let stats = transaction.stats()?;
    let used_bytes = stats.allocated_pages() * stats.page_size() as u64;
    transaction.abort()?;
    Ok(used_bytes)
}

/// Free bytes of the file system that are available to this process.
fn room_bytes(path: &Path) -> Result<u64, OpenError> {
    let room = rustix::fs::statvfs(path).map_err(std::io::Error::from)?;
    Ok(room.f_bavail.saturating_mul(room.f_frsize))
}
