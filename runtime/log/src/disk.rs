//! What the log stands on: files in one directory, named without it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A directory of files that are only appended to.
pub trait Disk: Send + Sync + 'static {
    /// A file open for appending.
    type File: Send;

    /// Eight bytes that nobody can guess, for the frames of a new segment.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    fn magic(&self) -> io::Result<[u8; 8]>;

    /// Names of all files, in order.
    ///
    /// # Errors
    /// Whatever the disk says; so for all that follow.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Length of a file in bytes.
    fn len(&self, name: &str) -> io::Result<u64>;

    /// At most `len` bytes of a file from `offset` on; fewer only where it ends.
    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>>;

    /// An empty file; what had this name before is gone.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// An existing file, to go on at its end.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Writes at the end of a file. After an error any part of `bytes` may have been written.
    fn append(&self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()>;

    /// Cuts a file, and gives back the room allocated behind its end.
    fn truncate(&self, file: &mut Self::File, len: u64) -> io::Result<()>;

    /// Sets room aside, so that appending to a file cannot meet a full disk before it has `to` bytes,
    /// which are more than the `from` that it has room for. The file does not become longer by it. The
    /// error is `Unsupported` where that cannot be done.
    fn allocate(&self, file: &mut Self::File, from: u64, to: u64) -> io::Result<()>;

    /// Makes what was written to a file durable. After an error some of it may never be, whatever a
    /// later call says.
    fn sync(&self, file: &mut Self::File) -> io::Result<()>;

    /// Gives a file another name, at once or not at all.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Makes which files there are durable.
    fn sync_dir(&self) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// A directory of the file system.
#[derive(Debug, Clone)]
pub struct RealDisk(PathBuf);

impl RealDisk {
    /// The directory, created if it is not there. That it is there is durable then.
    ///
    /// # Errors
    /// When it cannot be created, and when the directory it is in cannot be synced.
    pub fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let parent = match dir.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // Also when it was there already: whoever made it may have died before this.
        File::open(parent)?.sync_all()?;
        Ok(Self(dir.to_owned()))
    }
}

/// Names of the files in a directory, in order.
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
        assert!(from < to, "room is asked for up to {to} bytes of a file that has {from}");
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
