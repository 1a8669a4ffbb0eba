//! The disk of the data directory: how much is free, and how long a sync takes.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cli::doctor::Finding;

const DISK: &str = "disk";

/// With less than this, a node soon refuses new work.
const FREE_BYTES_MIN: u64 = 256 << 20;
/// With less than this, somebody should look.
const FREE_BYTES_WANTED: u64 = 2 << 30;

/// How many syncs are measured.
const SYNCS: usize = 16;
/// Every acknowledgement waits for a sync; local disks take less than this.
const SYNC_MAX: Duration = Duration::from_millis(20);

pub(super) fn look(data_dir: &Path) -> Vec<Finding> {
    let Some(dir) = data_dir.ancestors().map(of_path).find(|dir| dir.is_dir()) else {
        return Vec::new();
    };
    let mut findings: Vec<_> = free(&dir).into_iter().collect();
    findings.push(match sync_time(&dir) {
        Ok(time) => of_sync(&dir, time),
        Err(error) => Finding::warning(
            DISK,
            format!("how long a sync takes is not known: {}: {error}", dir.display()),
            "run this as the user of the server",
        ),
    });
    findings
}

/// The first ancestor of a relative path is the empty one.
fn of_path(path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() }
}

fn free(dir: &Path) -> Option<Finding> {
    let room = rustix::fs::statvfs(dir).ok()?;
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let found = format!("{} MiB are free at {}", free >> 20, dir.display());
    let advice = "free some space: without it, new work is refused";
    Some(match free {
        ..FREE_BYTES_MIN => Finding::problem(DISK, found, advice),
        FREE_BYTES_MIN..FREE_BYTES_WANTED => Finding::warning(DISK, found, advice),
        FREE_BYTES_WANTED.. => Finding::ok(DISK, found),
    })
}

fn of_sync(dir: &Path, time: Duration) -> Finding {
    let ms = time.as_secs_f64() * 1000.0;
    let found = format!("a sync takes {ms:.1} ms at {} (median of {SYNCS})", dir.display());
    if time <= SYNC_MAX {
        return Finding::ok(DISK, found);
    }
    let advice = "every acknowledgement waits for one: use a local disk, and nothing else on it";
    Finding::warning(DISK, found, advice)
}

/// The median time of a small write and its sync, in a file without a name: nothing is left of it.
fn sync_time(dir: &Path) -> io::Result<Duration> {
    let mut file = tempfile::tempfile_in(dir)?;
    let measured = (0..SYNCS).map(|_| {
        let begun = Instant::now();
        file.write_all(&[0; 512])?;
        file.sync_data()?;
        Ok(begun.elapsed())
    });
    let measured: io::Result<Vec<_>> = measured.collect();
    let mut times = measured?;
    times.sort_unstable();
    Ok(times[SYNCS / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_measurement() {
        let dir = tempfile::tempdir().unwrap();
        let findings = look(&dir.path().join("not/yet/there"));
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[1].found.contains("a sync takes"), "{findings:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
