//! The storage under the log: files in one directory, addressed by file name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A directory of append-only files.
pub trait Disk: Send + Sync + 'static {
    /// A file open for appending.
    type File: Send;

    /// Eight unpredictable bytes, for the frames of a new segment.
    ///
    /// # Errors
    /// Returns an error if no randomness is available.
    fn magic(&self) -> io::Result<[u8; 8]>;

    /// Names of all files, sorted.
    ///
    /// # Errors
    /// Returns the disk's error; this holds for all methods below.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Length of a file in bytes.
    fn len(&self, name: &str) -> io::Result<u64>;

    /// Reads up to `len` bytes of a file, starting at `offset`; fewer only if the file ends first.
    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>>;

    /// Creates an empty file, replacing any file with this name.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Opens an existing file for appending at its end.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Appends to a file. After an error any part of `bytes` may have been written.
    fn append(&self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()>;

    /// Truncates a file and releases the space allocated beyond its end.
    fn truncate(&self, file: &mut Self::File, len: u64) -> io::Result<()>;

    /// Reserves disk space, so that appending to the file cannot hit a full disk before it reaches
    /// `to` bytes. `from` is the length that is already allocated and is less than `to`. The length
    /// of the file does not change. The error is `Unsupported` where space cannot be reserved.
    fn allocate(&self, file: &mut Self::File, from: u64, to: u64) -> io::Result<()>;

    /// Makes what was written to a file durable. After an error some of it may never become
    /// durable, whatever a later call returns.
    fn sync(&self, file: &mut Self::File) -> io::Result<()>;

    /// Renames a file atomically.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Makes creations, renames and removals in the directory durable.
    fn sync_dir(&self) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// A directory of the file system.
#[derive(Debug, Clone)]
pub struct RealDisk(PathBuf);

impl RealDisk {
    /// Opens the directory, creating it if it does not exist. Its existence is durable on return.
    ///
    /// # Errors
    /// Returns an error if the directory cannot be created or its parent cannot be synced.
    pub fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let parent = match dir.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // Even if it already existed: the process that created it may have died before this sync.
        File::open(parent)?.sync_all()?;
        Ok(Self(dir.to_owned()))
    }
}

impl RealDisk {
    /// A directory that exists, to read from.
    pub(crate) fn existing(dir: &Path) -> Self {
        Self(dir.to_owned())
    }
}

/// Names of the files in a directory, sorted.
pub(crate) fn names_in(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = fs::read_dir(dir)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

impl Disk for RealDisk {
    type File = File;

    fn magic(&self) -> io::Result<[u8; 8]> {
        let mut magic = [0; 8];
        getrandom::fill(&mut magic).map_err(io::Error::other)?;
        Ok(magic)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        names_in(&self.0)
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.0.join(name))?.len())
    }

    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let file = File::open(self.0.join(name))?;
        let mut bytes = vec![0; len];
        let mut filled = 0;
        while filled < len {
            match file.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn create(&self, name: &str) -> io::Result<File> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => OpenOptions::new().create_new(true).append(true).open(path),
        }
    }

    fn open(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().append(true).open(self.0.join(name))
    }

    fn append(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn truncate(&self, file: &mut File, len: u64) -> io::Result<()> {
        file.set_len(len)
    }

    #[cfg(target_os = "linux")]
    fn allocate(&self, file: &mut File, from: u64, to: u64) -> io::Result<()> {
        use rustix::{fs::FallocateFlags, io::Errno};
        assert!(from < to, "space is requested up to {to} bytes, but {from} are already allocated");
        let len = to - from;
        loop {
            match rustix::fs::fallocate(&*file, FallocateFlags::KEEP_SIZE, from, len) {
                Err(Errno::INTR) => (),
                outcome => return Ok(outcome?),
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn allocate(&self, _: &mut File, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self, file: &mut File) -> io::Result<()> {
        file.sync_data()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }
}
