//! A data directory that is made from a backup. It becomes one in the end, when it gets its `LAYOUT`;
//! until then, no start accepts it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use protocol::ids::{Derivation, SECRET_BYTES};

use super::{
    LAYOUT, LOCK, LOG, SECRET, cannot_write, close_to_others, create_dir, is_data, layout::Layout,
    lock, names, settle, version, write_draft,
};

/// A directory that is being restored. Unless it is completed, what was written to it is removed.
pub(crate) struct Restored {
    pub(crate) path: PathBuf,
    /// Whether it was there before.
    is_old: bool,
    is_complete: bool,
    /// Nobody may start on it meanwhile.
    _lock: File,
}

/// What the backup says about the directory that it was taken of.
pub(crate) struct Origin {
    layout: Layout,
    pub(crate) derivation: Derivation,
}

impl Origin {
    /// Reads the texts of `LAYOUT` and `SECRET`.
    pub(crate) fn of(layout: &[u8], secret: Option<&[u8]>) -> Result<Self> {
        let layout = Layout::parse(&String::from_utf8_lossy(layout)).context("LAYOUT")?;
        let secret = secret.map(<[u8; SECRET_BYTES]>::try_from).transpose().context("SECRET")?;
        let derivation = secret.map_or(Derivation::Plain, Derivation::Secret);
        ensure!(
            derivation.fingerprint() == layout.secret,
            "SECRET is not the one that LAYOUT names"
        );
        Ok(Self { layout, derivation })
    }

    pub(crate) fn partitions(&self) -> u16 {
        self.layout.partitions
    }
}

impl Restored {
    /// Takes an empty directory, or creates one.
    ///
    /// # Errors
    /// Returns an error if it cannot be used; whatever is in it stays.
    pub(crate) fn begin(path: &Path) -> Result<Self> {
        ensure!(
            path.is_dir() || !path.exists(),
            "{} is a file; choose another directory with --data-dir",
            path.display()
        );
        let is_old = path.exists();
        if is_old {
            refuse_contents(path)?;
        }
        create_dir(path).with_context(|| format!("{} cannot be created", path.display()))?;
        let path = path.canonicalize().with_context(|| cannot_write(path))?;
        let lock = lock(&path)?;
        // Another restore, or a first start, may have ended since. What it has made is not ours to
        // remove, so this begins to be a restore only after that.
        refuse_contents(&path)?;
        close_to_others(&path);
        // First of all what a start recognises as data, so that it refuses what is not complete.
        fs::create_dir(path.join(LOG)).with_context(|| cannot_write(&path))?;
        Ok(Self { path, is_old, is_complete: false, _lock: lock })
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// Makes it a data directory: everything else is durable by now.
    pub(crate) fn complete(mut self, origin: &Origin) -> Result<()> {
        let path = &self.path;
        let write = || {
            if let Derivation::Secret(secret) = &origin.derivation {
                write_draft(path, SECRET, secret)?;
                settle(path, SECRET)?;
            }
            File::open(path)?.sync_all()
        };
        write().with_context(|| cannot_write(path))?;
        version::note(path)?;
        let write = || {
            write_draft(path, LAYOUT, origin.layout.to_string().as_bytes())?;
            settle(path, LAYOUT)
        };
        write().with_context(|| cannot_write(path))?;
        self.is_complete = true;
        Ok(())
    }

    /// Removes what was written. The directory was empty, apart from what is allowed in one.
    fn remove(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // The log goes last: it is what keeps a start from taking the rest for a new directory.
            let is_ours = is_data(&name) || name.ends_with(".new") || name == SECRET;
            if is_ours && name != LOG {
                fs::remove_file(entry.path())?;
            }
        }
        fs::remove_dir_all(self.log())?;
        fs::remove_file(self.path.join(LOCK))?;
        if self.is_old { Ok(()) } else { fs::remove_dir(&self.path) }
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        // What is left is refused by every start, and by the next restore, with its path.
        if !self.is_complete {
            let _ = self.remove();
        }
    }
}

/// Refuses a directory that has anything in it but what belongs to a volume.
fn refuse_contents(path: &Path) -> Result<()> {
    let is_allowed = |name: &str| name == LOCK || name == "lost+found" || name.ends_with(".toml");
    let found = names(path)?.into_iter().find(|name| !is_allowed(name));
    ensure!(
        found.is_none(),
        "{} is not empty: it contains {}; choose a directory that is empty or does not exist, or, if a \
         restore was interrupted there, remove what it has left",
        path.display(),
        found.unwrap_or_default()
    );
    Ok(())
}
