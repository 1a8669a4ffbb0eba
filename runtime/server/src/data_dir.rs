//! The data directory. It is used by one process at a time, keeps the number of partitions that it
//! was created with, and derives ids from names by the same rule forever.

mod layout;
pub(crate) mod restored;
mod version;

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use protocol::ids::{Derivation, SECRET_BYTES};
use runtime_partition::random;

use layout::Layout;

/// Describes the directory. The file has this name from the first use on. Until the log and the
/// tables have been created, it is a draft.
pub(crate) const LAYOUT: &str = "LAYOUT";
/// Secret that the ids of named invocations are derived with.
const SECRET: &str = "SECRET";
/// The process that holds a lock on this file owns the directory.
pub(crate) const LOCK: &str = "LOCK";
/// Directory of the log.
pub(crate) const LOG: &str = "log";

/// Files are readable only by their owner, because they hold clients' headers and payloads.
const PRIVATE: u32 = 0o600;
/// The same for the directory.
const PRIVATE_DIR: u32 = 0o700;

/// An open data directory. Dropping it releases the lock.
#[derive(Debug)]
pub(crate) struct DataDir {
    pub(crate) path: PathBuf,
    /// The number of partitions that the directory was created with.
    pub(crate) partitions: u16,
    /// How the ids of named invocations are derived from their names.
    pub(crate) derivation: Derivation,
    /// Whether it has been used before. If so, there must be a log, or data was lost.
    pub(crate) is_in_use: bool,
    lock: File,
}

/// What a data directory says about itself.
#[derive(Debug)]
pub(crate) struct Look {
    /// The number of partitions.
    pub(crate) partitions: u16,
    /// Fingerprint of its secret, if it has one.
    pub(crate) fingerprint: Option<u128>,
    /// The version that has written to it last, if that is known.
    pub(crate) version: Option<String>,
}

/// Looks at a directory that has been used, and changes nothing.
///
/// # Errors
/// Returns the error that a start would end with.
pub(crate) fn look(path: &Path) -> Result<Look> {
    version::check(path)?;
    let version = version::read(path)?.map(|writer| writer.version);
    let file = path.join(LAYOUT);
    let text =
        fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    let layout =
        Layout::parse(&text).with_context(|| format!("{} cannot be used", file.display()))?;
    let derivation = derivation(path, &layout)?;
    let (partitions, fingerprint) = (layout.partitions, derivation.fingerprint());
    Ok(Look { partitions, fingerprint, version })
}

/// What makes a data directory the one that it is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// The text of `LAYOUT`.
    pub(crate) layout: String,
    /// The content of `SECRET`. `None` if the directory was created before secrets existed.
    pub(crate) secret: Option<[u8; SECRET_BYTES]>,
}

impl Drop for DataDir {
    fn drop(&mut self) {
        // Closing the file isn't enough: a child process that is just being started still has a copy
        // of the descriptor, and the lock would last until it runs its own program. If this fails,
        // closing is what is left.
        let _ = self.lock.unlock();
    }
}

impl DataDir {
    /// Opens the directory, or creates it with this many partitions.
    pub(crate) fn open(path: &Path, partitions: u16) -> Result<Self> {
        ensure!(
            path.is_dir() || !path.exists(),
            "the data directory {} is a file; choose another with --data-dir",
            path.display()
        );
        create_dir(path)
            .with_context(|| format!("the data directory {} cannot be created", path.display()))?;
        let path = path
            .canonicalize()
            .with_context(|| format!("the data directory {} cannot be used", path.display()))?;
        refuse_strangers(&path)?;
        let lock = lock(&path)?;
        // Before the layout, which a newer version may have changed, too.
        version::check(&path)?;
        let file = path.join(LAYOUT);
        let (layout, is_in_use) = match fs::read_to_string(&file) {
            Ok(text) => {
                let layout = Layout::parse(&text)
                    .with_context(|| format!("{} cannot be used", file.display()))?;
                (layout, true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let layout = match draft(&path) {
                    Some(layout) => layout,
                    None => create(&path, partitions)?,
                };
                (layout, false)
            }
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", file.display()));
            }
        };
        close_to_others(&path);
        let derivation = derivation(&path, &layout)?;
        version::note(&path)?;
        Ok(Self { path, partitions: layout.partitions, derivation, is_in_use, lock })
    }

    /// Records that the log and the tables exist, so that a directory that has lost them is not
    /// mistaken for a new one.
    pub(crate) fn note_use(&self) -> Result<()> {
        if self.is_in_use {
            return Ok(());
        }
        settle(&self.path, LAYOUT).with_context(|| cannot_write(&self.path))
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// What a backup has of it besides the log and the tables.
    pub(crate) fn identity(&self) -> Identity {
        let secret = match self.derivation {
            Derivation::Secret(secret) => Some(secret),
            Derivation::Plain => None,
        };
        let layout = Layout { partitions: self.partitions, secret: self.derivation.fingerprint() };
        Identity { layout: layout.to_string(), secret }
    }
}

/// Creates the directory and its missing ancestors, each made durable in its parent.
fn create_dir(path: &Path) -> io::Result<()> {
    let missing: Vec<_> = path.ancestors().take_while(|dir| !dir.exists()).collect();
    fs::create_dir_all(path)?;
    for dir in missing {
        let parent = match dir.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

/// Removes access for everyone but the owner from the directory, and thereby from its contents.
/// This may fail, because a volume may belong to another user.
fn close_to_others(path: &Path) {
    let mode = |metadata: &fs::Metadata| metadata.permissions().mode() & 0o777;
    let is_closed = fs::metadata(path).is_ok_and(|metadata| mode(&metadata) & 0o077 == 0);
    if is_closed {
        return;
    }
    if let Err(error) = fs::set_permissions(path, Permissions::from_mode(PRIVATE_DIR)) {
        tracing::warn!(
            "the data directory {} holds clients' headers and payloads and is open to users other than its \
             owner, which can't be changed: {error}",
            path.display()
        );
    }
}

fn lock(path: &Path) -> Result<File> {
    let lock_path = path.join(LOCK);
    // Opening a named pipe would block until it has a reader.
    if let Ok(found) = fs::metadata(&lock_path) {
        ensure!(
            found.is_file(),
            "{} is not a file; remove it, then start again",
            lock_path.display()
        );
    }
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .with_context(|| format!("{} cannot be opened", lock_path.display()))?;
    match lock.try_lock() {
        Ok(()) => {
            // A restore that fails removes the file, perhaps between the two steps above. A lock on
            // what is no longer there would keep nobody out.
            let is_there = fs::metadata(&lock_path).is_ok_and(|found| is_same(&found, &lock));
            ensure!(is_there, "{} has just been removed; start again", lock_path.display());
            Ok(lock)
        }
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

/// Whether a path leads to an open file.
fn is_same(found: &fs::Metadata, open: &File) -> bool {
    open.metadata().is_ok_and(|open| (found.dev(), found.ino()) == (open.dev(), open.ino()))
}

/// The id derivation that the directory was created with.
fn derivation(path: &Path, layout: &Layout) -> Result<Derivation> {
    let Some(fingerprint) = layout.secret else {
        // Created before secrets existed. Changing the rule now would change which names mean the
        // same invocation.
        return Ok(Derivation::Plain);
    };
    let file = path.join(SECRET);
    let advice = || {
        format!(
            "{} cannot be used; restore the one that belongs to this directory: ids of workflows \
             and idempotency keys follow from it",
            file.display()
        )
    };
    let bytes = fs::read(&file).with_context(advice)?;
    let found = bytes.len();
    let secret = <[u8; SECRET_BYTES]>::try_from(bytes)
        .map_err(|_| anyhow::anyhow!("it has {found} bytes, expected {SECRET_BYTES}"))
        .with_context(advice)?;
    let derivation = Derivation::Secret(secret);
    ensure!(
        derivation.fingerprint() == Some(fingerprint),
        anyhow::anyhow!("it belongs to another directory: LAYOUT names a different one")
            .context(advice())
    );
    Ok(derivation)
}

/// Whether a new data directory may contain this name, apart from what an incomplete first start
/// leaves.
fn is_no_stranger(name: &str) -> bool {
    let is_of_a_start = [LOCK, SECRET, LAYOUT, version::FILE]
        .iter()
        .any(|known| name == *known || name == draft_of(known));
    // Belongs to the volume, or is a configuration kept with the data.
    is_of_a_start || name == "lost+found" || name.ends_with(".toml")
}

/// Whether a file or directory of this name holds data.
fn is_data(name: &str) -> bool {
    name == LOG || (name.starts_with("partition-") && name.ends_with(".redb"))
}

/// Refuses a directory that holds other files and is not a data directory. Using it would remove
/// other users' access to it, and mix its contents with data.
fn refuse_strangers(path: &Path) -> Result<()> {
    if path.join(LAYOUT).exists() {
        return Ok(());
    }
    let names = names(path)?;
    if names.iter().any(|name| is_data(name)) {
        return Ok(()); // It was a data directory. What it lacks is reported later.
    }
    match names.into_iter().find(|name| !is_no_stranger(name)) {
        None => Ok(()),
        Some(name) => bail!(
            "the directory {} is not a data directory, and not empty: it contains {name}; choose an empty one, or \
             one that does not exist yet, with --data-dir",
            path.display()
        ),
    }
}

fn names(path: &Path) -> Result<Vec<String>> {
    let unreadable = || format!("the data directory {} cannot be read", path.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(path).with_context(unreadable)? {
        names.push(entry.with_context(unreadable)?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

/// Refuses a directory that has data but no `LAYOUT`: it is not a new one.
fn refuse_remains(path: &Path) -> Result<()> {
    for name in names(path)? {
        ensure!(
            !is_data(&name),
            "{}/{LAYOUT} is missing, but there is {name}: this is not a new data directory; restore \
             all of it from one copy, or choose another directory with --data-dir",
            path.display()
        );
    }
    Ok(())
}

/// The layout left by a start that did not reach the directory's first use.
fn draft(path: &Path) -> Option<Layout> {
    Layout::parse(&fs::read_to_string(path.join(draft_of(LAYOUT))).ok()?).ok()
}

fn create(path: &Path, partitions: u16) -> Result<Layout> {
    refuse_remains(path)?;
    let secret: [u8; SECRET_BYTES] = random::bytes();
    let layout = Layout { partitions, secret: Derivation::Secret(secret).fingerprint() };
    let write = || {
        write_draft(path, SECRET, &secret)?;
        settle(path, SECRET)?;
        write_draft(path, LAYOUT, layout.to_string().as_bytes())
    };
    write().with_context(|| cannot_write(path))?;
    Ok(layout)
}

fn cannot_write(path: &Path) -> String {
    format!("the data directory {} cannot be written", path.display())
}

/// The name under which a file is written, so that only a complete file gets the final name.
fn draft_of(name: &str) -> String {
    format!("{name}.new")
}

/// Writes a draft and syncs it.
fn write_draft(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let options = options.create(true).truncate(true).write(true).mode(PRIVATE);
    let mut file = options.open(dir.join(draft_of(name)))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    File::open(dir)?.sync_all()
}

/// Renames a draft to its final name and syncs the directory.
fn settle(dir: &Path, name: &str) -> io::Result<()> {
    fs::rename(dir.join(draft_of(name)), dir.join(name))?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests;
