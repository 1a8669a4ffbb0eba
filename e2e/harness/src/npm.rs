//! What comes from npm: Restate's server and command line, and what programs in JavaScript need.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, Result};

/// The release of Restate that everything is compared with.
pub const RESTATE_VERSION: &str = "1.7.12";

/// Restate's `restate-server` or its command line `restate` in a directory, installed first if it is
/// not there.
///
/// # Errors
/// When npm can't install it, or has none for this machine.
pub fn restate(program: &str, dir: &Path) -> Result<PathBuf> {
    if let Some(found) = find(program, dir) {
        return Ok(found);
    }
    std::fs::create_dir_all(dir).map_err(Error::about(dir.display()))?;
    let package = format!("@restatedev/{program}@{RESTATE_VERSION}");
    npm(dir, &["install", "--no-audit", "--no-fund", "--prefix", ".", &package])?;
    let missing = || Error::new(format!("npm's {program} has no program for this machine"));
    find(program, dir).ok_or_else(missing)
}

/// Installs the packages that a directory's lock file names, if they are not there.
///
/// # Errors
/// When npm can't install them.
pub fn packages(dir: &Path) -> Result<()> {
    if dir.join("node_modules").exists() {
        return Ok(());
    }
    npm(dir, &["ci", "--no-audit", "--no-fund"])
}

/// The package itself has a launcher in JavaScript; the program is in one for each kind of machine.
fn find(program: &str, dir: &Path) -> Option<PathBuf> {
    let packages = std::fs::read_dir(dir.join("node_modules/@restatedev")).ok()?;
    let packages = packages.flatten().map(|package| package.path());
    let mut programs =
        packages.filter(|path| !path.ends_with(program)).map(|path| path.join("bin").join(program));
    programs.find(|path| path.exists())
}

fn npm(dir: &Path, arguments: &[&str]) -> Result<()> {
    let status = Command::new("npm").args(arguments).current_dir(dir).status();
    let status = status.map_err(Error::about("npm is needed for this, and does not start"))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(format!("npm {arguments:?} in {}: {status}", dir.display())))
}
