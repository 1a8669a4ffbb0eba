//! Packages for Python programs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result, install::run};

/// Returns the interpreter of a virtual environment that has the packages of a `requirements.txt`,
/// installing them first if they are not the ones that it has.
///
/// # Errors
/// Returns an error if Python cannot create the environment, or pip cannot install the packages.
pub fn environment(requirements: &Path, dir: &Path) -> Result<PathBuf> {
    let python = dir.join("bin/python");
    let wanted = fs::read_to_string(requirements).map_err(Error::about(requirements.display()))?;
    let installed = dir.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    fs::create_dir_all(dir).map_err(Error::about(dir.display()))?;
    run(Path::new("python3"), &["-m", "venv", "--clear", "."], dir)?;
    let requirements = requirements.to_string_lossy();
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(&python, &[&pip[..], &["--requirement", &requirements]].concat(), dir)?;
    fs::write(&installed, wanted).map_err(Error::about(installed.display()))?;
    Ok(python)
}
