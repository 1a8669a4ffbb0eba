//! Running the package managers that install what other languages need.

use std::path::Path;
use std::process::Command;

use crate::{Error, Result};

/// Runs a package manager to completion.
pub(crate) fn run(program: &Path, arguments: &[&str], dir: &Path) -> Result<()> {
    let shown = program.display();
    let status = Command::new(program).args(arguments).current_dir(dir).status();
    let status =
        status.map_err(Error::about(format!("{shown} is required, but cannot be started")))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(format!("{shown} {arguments:?} in {}: {status}", dir.display())))
}
