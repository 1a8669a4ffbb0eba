//! Whose data it is: one process at a time, and as many partitions as it was created with.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// Version of the directory's layout.
const LAYOUT: &str = "abide-data 1";

/// An open data directory; the lock is released when it is dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    pub(crate) path: PathBuf,
    /// As many as it was created with.
    pub(crate) partitions: u16,
    _lock: File,
}

impl DataDir {
    /// Opens the directory, or creates it with this many partitions.
    pub(crate) fn open(path: &Path, partitions: u16) -> Result<Self> {
        fs::create_dir_all(path)
            .with_context(|| format!("the data directory {} cannot be created", path.display()))?;
        let path = path
            .canonicalize()
            .with_context(|| format!("the data directory {} cannot be used", path.display()))?;
        let lock = lock(&path)?;
        let layout = path.join("LAYOUT");
        let partitions = match fs::read_to_string(&layout) {
            Ok(text) => {
                parse(&text).with_context(|| format!("{} cannot be used", layout.display()))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                create(&path, &layout, partitions)
                    .with_context(|| format!("{} cannot be written", layout.display()))?;
                partitions
            }
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", layout.display()));
            }
        };
        Ok(Self { path, partitions, _lock: lock })
    }
}

fn lock(path: &Path) -> Result<File> {
    let lock_path = path.join("LOCK");
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .with_context(|| format!("{} cannot be opened", lock_path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => bail!(
            "another abide is running on the data directory {}; stop it, or choose another \
             directory with --data-dir",
            path.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} cannot be locked", lock_path.display()))
        }
    }
}

fn parse(text: &str) -> Result<u16> {
    let mut lines = text.lines();
    let layout = lines.next().unwrap_or_default();
    ensure!(layout == LAYOUT, "its layout is '{layout}', this version can only read '{LAYOUT}'");
    let partitions = lines.next().and_then(|line| line.strip_prefix("partitions "));
    partitions.and_then(|count| count.parse().ok()).context("it does not say how many partitions")
}

/// Written whole or not at all: to another name first.
fn create(path: &Path, layout: &Path, partitions: u16) -> Result<()> {
    let temporary = path.join("LAYOUT.new");
    let mut file = File::create(&temporary)?;
    writeln!(file, "{LAYOUT}\npartitions {partitions}")?;
    file.sync_all()?;
    fs::rename(&temporary, layout)?;
    File::open(path)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_keeps_its_partitions_and_has_one_owner() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::open(dir.path(), 3).unwrap();
        assert_eq!(first.partitions, 3);
        let second = DataDir::open(dir.path(), 1).unwrap_err();
        assert!(second.to_string().contains("another abide is running"), "{second}");
        drop(first);
        assert_eq!(DataDir::open(dir.path(), 1).unwrap().partitions, 3);
    }

    #[test]
    fn an_unknown_layout_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("LAYOUT"), "abide-data 9\npartitions 1\n").unwrap();
        let error = format!("{:#}", DataDir::open(dir.path(), 1).unwrap_err());
        assert!(error.contains("abide-data 9"), "{error}");
    }
}
