//! The data directory: whose it is, whether a server runs on it, and whether one could.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use cli::doctor::Finding;
use runtime_log::Owner;
use runtime_partition::node::store_file;

use crate::data_dir::{self, LAYOUT, LOCK, LOG};

const DATA: &str = "data";
const LOG_IS: &str = "log";

/// What the rest depends on.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Whether a server has the directory.
    pub(super) is_running: bool,
    /// The number of partitions, if it has been used.
    pub(super) partitions: Option<u16>,
}

/// Looks at a directory, which has to exist if it `is_named`.
pub(super) fn look(path: &Path, is_named: bool) -> (Vec<Finding>, Found) {
    let shown = path.display();
    let mut found = Found::default();
    if !path.join(LAYOUT).exists() {
        return (vec![unused(path, is_named)], found);
    }
    let mut findings: Vec<_> = access(path).into_iter().collect();
    found.is_running = match holder(path) {
        Some(pid) => {
            findings.push(Finding::ok(DATA, format!("a server runs on {shown}: process {pid}")));
            true
        }
        None => {
            findings.push(Finding::ok(DATA, format!("no server on this machine runs on {shown}")));
            false
        }
    };
    let look = match data_dir::look(path) {
        Ok(look) => look,
        Err(error) => {
            let advice = "no server starts on it: docs/operations.md, Refused starts";
            findings.push(Finding::problem(DATA, format!("{error:#}"), advice));
            return (findings, found);
        }
    };
    found.partitions = Some(look.partitions);
    let (log, tables) = (bytes_in(&path.join(LOG)), tables_bytes(path, look.partitions));
    let version = look.version.as_deref().unwrap_or("an older one than 0.1.0 or unknown");
    findings.push(Finding::ok(
        DATA,
        format!(
            "{} partitions, last used by version {version}; tables have {} MiB, the log {} MiB",
            look.partitions,
            tables >> 20,
            log >> 20
        ),
    ));
    findings.extend((0..look.partitions).filter_map(|partition| table(path, partition)));
    if found.is_running {
        findings.push(Finding::ok(LOG_IS, "the server reads it; not looked at"));
    } else {
        findings.push(log_of(path, &look));
    }
    (findings, found)
}

fn unused(path: &Path, is_named: bool) -> Finding {
    let shown = path.display();
    let names = fs::read_dir(path).map(|entries| entries.flatten().count());
    match names {
        Err(_) if is_named => Finding::problem(
            DATA,
            format!("{shown} does not exist, or cannot be read"),
            "--data-dir says where it is",
        ),
        Err(_) => Finding::ok(DATA, format!("{shown} does not exist; not looked at")),
        Ok(0) => Finding::ok(DATA, format!("{shown} is empty: the next start creates it")),
        Ok(_) => Finding::problem(
            DATA,
            format!("{shown} is not a data directory, or has lost its {LAYOUT}"),
            "choose another with --data-dir, or restore a backup into an empty one",
        ),
    }
}

/// Whether anybody but this user may enter it, and this user may.
fn access(path: &Path) -> Option<Finding> {
    let metadata = fs::metadata(path).ok()?;
    let (mode, owner) = (metadata.permissions().mode() & 0o777, metadata.uid());
    let me = rustix::process::geteuid().as_raw();
    let shown = path.display();
    if owner != me && me != 0 {
        let found = format!("{shown} belongs to user {owner}, and this is user {me}");
        let advice = "the server has to run as its owner; run this as that user, too";
        return Some(Finding::warning(DATA, found, advice));
    }
    if mode & 0o077 != 0 {
        let found = format!("{shown} is open to other users (mode {mode:o})");
        let advice = "it holds clients' payloads: chmod 700, which the next start does by itself";
        return Some(Finding::warning(DATA, found, advice));
    }
    None
}

/// The process that holds the lock. Taking the lock to find out would keep a server from starting.
fn holder(path: &Path) -> Option<String> {
    let file = fs::metadata(path.join(LOCK)).ok()?;
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| holder_in(line, &file, has_open))
}

/// The holder of the file's lock, if that is in a line such as
/// `1: FLOCK ADVISORY WRITE 4711 08:01:131 0 EOF`. Another file system may have a file of the same
/// number, and some (btrfs, overlayfs) show another device here than of their files: then it has to
/// be a process that has the file open.
fn holder_in(
    line: &str,
    file: &Metadata,
    has_open: impl Fn(&str, &Metadata) -> bool,
) -> Option<String> {
    let words: Vec<_> = line.split_whitespace().collect();
    let ["FLOCK", _, _, pid, locked, ..] = words.get(1..)? else { return None };
    let (device, inode) = locked.rsplit_once(':')?;
    if inode != file.ino().to_string() {
        return None;
    }
    let (major, minor) = (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()));
    let is_on_device = device == format!("{major:02x}:{minor:02x}");
    (is_on_device || has_open(pid, file)).then(|| (*pid).to_owned())
}

/// Whether a process has a file open, as far as this user may see.
fn has_open(pid: &str, file: &Metadata) -> bool {
    let opened = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut files = opened.filter_map(|opened| fs::metadata(opened.path()).ok());
    files.any(|opened| (opened.dev(), opened.ino()) == (file.dev(), file.ino()))
}

fn table(path: &Path, partition: u16) -> Option<Finding> {
    let file = store_file(path, partition);
    let len = fs::metadata(&file).map_or(0, |metadata| metadata.len());
    (len == 0).then(|| {
        let found = format!("{} is missing or empty", file.display());
        Finding::problem(DATA, found, "restore the whole data directory from one backup")
    })
}

/// Reads all of the log, as a start does.
fn log_of(path: &Path, look: &data_dir::Look) -> Finding {
    let directory = look.fingerprint.unwrap_or_default();
    let owner = Owner { directory, partitions: look.partitions };
    match runtime_log::look(&path.join(LOG), owner) {
        Ok(Some(log)) if log.incomplete_bytes > 0 => Finding::ok(
            LOG_IS,
            format!(
                "{} segments are intact; the last {} bytes are an incomplete write, which was never \
                 acknowledged",
                log.segments, log.incomplete_bytes
            ),
        ),
        Ok(Some(log)) => Finding::ok(
            LOG_IS,
            format!("{} segments of {} KiB are intact", log.segments, log.bytes >> 10),
        ),
        Ok(None) => {
            let advice = "restore the whole data directory from one backup";
            Finding::problem(LOG_IS, "it is missing or empty", advice)
        }
        Err(error) => Finding::problem(
            LOG_IS,
            error.to_string(),
            "docs/operations.md, Refused starts, says what to do; check the disk",
        ),
    }
}

fn tables_bytes(path: &Path, partitions: u16) -> u64 {
    let files = (0..partitions).map(|partition| store_file(path, partition));
    files.map(|file| fs::metadata(file).map_or(0, |metadata| metadata.len())).sum()
}

fn bytes_in(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_the_one_of_its_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let file = file.as_file().metadata().unwrap();
        let (dev, inode) = (file.dev(), file.ino());
        let device = format!("{:02x}:{:02x}", rustix::fs::major(dev), rustix::fs::minor(dev));
        let line = |kind: &str, at: &str| format!("7: {kind}  ADVISORY  WRITE 4711 {at} 0 EOF");
        let held = |line: &str, is_open: bool| holder_in(line, &file, |_, _| is_open);
        let holder = Some("4711".to_owned());
        assert_eq!(held(&line("FLOCK", &format!("{device}:{inode}")), false), holder);
        // A file of the same number elsewhere, unless the system just names the device differently.
        let elsewhere = line("FLOCK", &format!("fe:77:{inode}"));
        assert_eq!(held(&elsewhere, false), None);
        assert_eq!(held(&elsewhere, true), holder);
        for line in [
            line("FLOCK", &format!("{device}:{inode}0")),
            line("FLOCK", &format!("{device}:1{inode}")),
            line("POSIX", &format!("{device}:{inode}")),
            String::new(),
        ] {
            assert_eq!(held(&line, true), None, "{line}");
        }
    }

    #[test]
    fn who_has_a_file_open_is_seen() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let other = tempfile::tempdir().unwrap();
        let pid = std::process::id().to_string();
        assert!(has_open(&pid, &file.as_file().metadata().unwrap()));
        assert!(!has_open(&pid, &fs::metadata(other.path()).unwrap()));
    }

    #[test]
    fn a_directory_in_use_is_seen_without_a_lock_of_ours() {
        let dir = tempfile::tempdir().unwrap();
        let open = data_dir::DataDir::open(dir.path(), 1).unwrap();
        assert_eq!(holder(dir.path()), Some(std::process::id().to_string()));
        drop(open);
        assert_eq!(holder(dir.path()), None);
    }
}
