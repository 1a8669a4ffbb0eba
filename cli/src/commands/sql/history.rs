//! Where the prompt keeps what was typed.

use std::env;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// How many entries are kept.
pub(crate) const ENTRIES_MAX: usize = 1000;

/// The file, in a directory that exists and only the user can enter; `None` if there is no place.
/// Queries may contain keys and values that are nobody else's business.
pub(crate) fn file() -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
    let state = absolute("XDG_STATE_HOME");
    let state = state.or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    let directory = state.join("abide");
    DirBuilder::new().recursive(true).mode(0o700).create(&directory).ok()?;
    Some(directory.join("sql-history"))
}
