//! What comes from npm: Restate's server and command line tool, and dependencies of JavaScript
//! programs.

use std::path::{Path, PathBuf};

use crate::{Error, Result, install::run};

/// The Restate release that everything is compared with.
pub const RESTATE_VERSION: &str = "1.7.12";

/// Returns the path of Restate's `restate-server` or `restate` in a directory, installing it first
/// if it is missing.
///
/// # Errors
/// Returns an error if npm cannot install it, or has no build for this machine.
pub fn restate(program: &str, dir: &Path) -> Result<PathBuf> {
    if let Some(found) = find(program, dir) {
        return Ok(found);
    }
    std::fs::create_dir_all(dir).map_err(Error::about(dir.display()))?;
    let package = format!("@restatedev/{program}@{RESTATE_VERSION}");
    run(Path::new("npm"), &["install", "--no-audit", "--no-fund", "--prefix", ".", &package], dir)?;
    let missing = || Error::new(format!("npm has no build of {program} for this machine"));
    find(program, dir).ok_or_else(missing)
}

/// Installs the packages listed in a directory's lock file if they are missing.
///
/// # Errors
/// Returns an error if npm cannot install them.
pub fn packages(dir: &Path) -> Result<()> {
    if dir.join("node_modules").exists() {
        return Ok(());
    }
    run(Path::new("npm"), &["ci", "--no-audit", "--no-fund"], dir)
}

/// Finds a program. The package itself contains a JavaScript launcher; the binary is in a package
/// per platform.
fn find(program: &str, dir: &Path) -> Option<PathBuf> {
    let packages = std::fs::read_dir(dir.join("node_modules/@restatedev")).ok()?;
    let packages = packages.flatten().map(|package| package.path());
    let mut programs =
        packages.filter(|path| !path.ends_with(program)).map(|path| path.join("bin").join(program));
    programs.find(|path| path.exists())
}
