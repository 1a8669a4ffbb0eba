//! What comes from npm: the real server, its command line, and the TypeScript services.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The release of the real server, and of its command line, that the suite is asked of.
pub(crate) const RESTATE_VERSION: &str = "1.7.12";

/// The services on the TypeScript SDK, installed.
pub(crate) fn typescript() -> Result<PathBuf> {
    let dir = workspace().join("interop/typescript");
    if !dir.join("node_modules").exists() {
        npm(&dir, &["ci", "--no-audit", "--no-fund"])?;
    }
    Ok(dir)
}

/// The real server's program, installed.
pub(crate) fn restate_server() -> Result<PathBuf> {
    program("target/interop-restate", "restate-server")
}

/// The real command line, installed.
pub(crate) fn restate_cli() -> Result<PathBuf> {
    program("target/interop-restate-cli", "restate")
}

/// A program of a package that has one package of its own for each kind of machine.
fn program(dir: &str, name: &str) -> Result<PathBuf> {
    let dir = workspace().join(dir);
    let modules = dir.join("node_modules/@restatedev");
    if !modules.join(name).exists() {
        std::fs::create_dir_all(&dir)?;
        let package = format!("@restatedev/{name}@{RESTATE_VERSION}");
        npm(&dir, &["install", "--no-audit", "--no-fund", "--prefix", ".", &package])?;
    }
    let found = std::fs::read_dir(&modules)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| !path.ends_with(name))
        .map(|path| path.join("bin").join(name))
        .find(|path| path.exists());
    found.with_context(|| format!("npm's {name} has no program for this machine"))
}

fn npm(dir: &Path, arguments: &[&str]) -> Result<()> {
    let status = Command::new("npm").args(arguments).current_dir(dir).status();
    let status = status.context("npm is needed for this, and does not start")?;
    ensure!(status.success(), "npm {arguments:?} in {}: {status}", dir.display());
    Ok(())
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
