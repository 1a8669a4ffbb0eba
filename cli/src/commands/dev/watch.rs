//! Changes of files, a burst of them as one. The files are looked at again and again rather than
//! watched by the system: that works on every system and every mount, and costs a few milliseconds for
//! the sources of a service.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::{task::spawn_blocking, time::sleep};

use crate::error::DevError;

/// How often the files are looked at. An editor writes several when it saves one, and a checkout
/// hundreds: a change counts once nothing has changed for this long.
const PAUSE: Duration = Duration::from_millis(250);

/// What builds and tools write while the command runs.
const IGNORED: [&str; 2] = ["target", "node_modules"];

/// A directory that has both of these is a server's: this one's, or one that runs beside it.
const OF_DATA: [&str; 2] = ["LAYOUT", "LOCK"];

/// Looked-at files; a directory that has more is not that of a service.
const FILES_MAX: usize = 100_000;

/// Changes of a file, or below a directory, from now on.
pub(super) struct Changes {
    /// `None` if nothing is watched.
    path: Option<PathBuf>,
    /// What the files looked like at first.
    before: u64,
}

impl Changes {
    pub(super) fn of(path: Option<&Path>) -> Result<Self, DevError> {
        let Some(path) = path else { return Ok(Self { path: None, before: 0 }) };
        let cannot = |cause: String| DevError::Watch { path: path.display().to_string(), cause };
        // It may be named by a relative path, or be a link.
        let found = path.canonicalize().map_err(|error| cannot(error.to_string()))?;
        let (before, files) = look(&found);
        if files >= FILES_MAX {
            return Err(cannot(format!("there are {FILES_MAX} files or more")));
        }
        Ok(Self { path: Some(found), before })
    }

    /// Waits for a change, and until there were no more for a moment. Never ends if nothing is
    /// watched.
    pub(super) async fn next(&mut self) {
        let Some(path) = &self.path else { return std::future::pending().await };
        let mut last = self.before;
        loop {
            sleep(PAUSE).await;
            let path = path.clone();
            let Ok((now, _)) = spawn_blocking(move || look(&path)).await else { continue };
            if now != self.before && now == last {
                self.before = now;
                return;
            }
            last = now;
        }
    }
}

/// What tells a file, or the files below a directory, from those of another moment, and how many
/// there are.
fn look(path: &Path) -> (u64, usize) {
    let (mut hasher, mut files) = (DefaultHasher::new(), 0);
    let mut dirs = vec![path.to_owned()];
    if let Ok(metadata) = path.metadata()
        && metadata.is_file()
    {
        (metadata.len(), metadata.modified().ok()).hash(&mut hasher);
        files = 1;
        dirs.clear();
    }
    while let Some(dir) = dirs.pop() {
        if OF_DATA.iter().all(|name| dir.join(name).is_file()) {
            continue;
        }
        // What is removed just now is a change, not a failure.
        let mut entries: Vec<_> = fs::read_dir(&dir).into_iter().flatten().flatten().collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            if is_ignored(&entry.file_name().to_string_lossy()) || files >= FILES_MAX {
                continue;
            }
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                dirs.push(entry.path());
                continue;
            }
            files += 1;
            let time = metadata.modified().ok();
            (entry.path(), metadata.len(), time).hash(&mut hasher);
        }
    }
    (hasher.finish(), files)
}

/// Hidden files are those of tools, and some editors' copies end with a tilde.
fn is_ignored(name: &str) -> bool {
    IGNORED.contains(&name) || name.starts_with('.') || name.ends_with('~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_builds_and_tools_write_is_no_change() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("src/main.rs", "1");
        let before = look(dir.path());
        for name in
            ["target/debug/x", "a/node_modules/b.js", ".git/index", "src/.main.rs.swp", "src/a.rs~"]
        {
            write(name, "x");
            assert_eq!(look(dir.path()), before, "{name}");
        }
        let data = ["data/LAYOUT", "data/LOCK", "data/log/0.seg", "data/partition-0.redb"];
        data.iter().for_each(|name| write(name, "x"));
        assert_eq!(look(dir.path()), before, "a server's data");
        write("src/targets.rs", "");
        assert_ne!(look(dir.path()), before, "a new file");
        let before = look(dir.path());
        write("src/main.rs", "22");
        assert_ne!(look(dir.path()), before, "a changed file");
        let before = look(dir.path());
        fs::remove_file(dir.path().join("src/targets.rs")).unwrap();
        assert_ne!(look(dir.path()), before, "a removed file");
    }

    #[tokio::test]
    async fn a_single_file_can_be_watched() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("app.mjs");
        fs::write(&file, "1").unwrap();
        let mut changes = Changes::of(Some(&file)).unwrap();
        // As an editor does that saves a copy and renames it.
        fs::write(dir.path().join("new"), "22").unwrap();
        fs::rename(dir.path().join("new"), &file).unwrap();
        changes.next().await;
        assert_eq!(changes.before, look(&file).0);
    }

    #[tokio::test]
    async fn a_change_before_it_is_waited_for_is_not_missed() {
        let dir = tempfile::tempdir().unwrap();
        let mut changes = Changes::of(Some(dir.path())).unwrap();
        fs::write(dir.path().join("a"), "x").unwrap();
        changes.next().await;
        assert_eq!(changes.before, look(dir.path()).0);
        let refused = Changes::of(Some(&dir.path().join("none"))).err().unwrap().to_string();
        assert!(refused.contains("--watch names another"), "{refused}");
    }
}
