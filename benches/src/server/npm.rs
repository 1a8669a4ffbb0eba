//! Installs Restate's server from npm where it is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

/// The version compared with.
pub const RESTATE_VERSION: &str = "1.7.12";

/// The path of Restate's server under `directory`, installed first when it is not there.
pub fn ensure_restate(directory: &Path) -> anyhow::Result<PathBuf> {
    if let Some(found) = find(directory) {
        return Ok(found);
    }
    fs::create_dir_all(directory)?;
    let package = format!("@restatedev/restate-server@{RESTATE_VERSION}");
    let status = Command::new("npm")
        .args(["install", "--no-save", "--ignore-scripts", "--silent", "--prefix"])
        .arg(directory)
        .arg(package)
        .status()
        .context("cannot run npm, which installs Restate's server")?;
    ensure!(status.success(), "npm could not install Restate's server");
    match find(directory) {
        Some(found) => Ok(found),
        None => bail!("npm has no Restate server for this platform"),
    }
}

/// The package has a launcher in Node and, in a package per platform, the program itself.
fn find(directory: &Path) -> Option<PathBuf> {
    let packages = fs::read_dir(directory.join("node_modules/@restatedev")).ok()?;
    let mut programs = packages.flatten().map(|package| package.path().join("bin/restate-server"));
    programs.find(|path| path.is_file() && !is_launcher(path))
}

fn is_launcher(path: &Path) -> bool {
    let package = path.ancestors().nth(2).and_then(Path::file_name);
    package.is_some_and(|name| name == "restate-server")
}
