//! Java programs, and libraries for them.

use std::path::{Path, PathBuf};

use crate::{Error, Result, install::run};

/// The goal that copies a library without a project of its own.
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy";

/// Returns the path of a library's jar in a directory, fetching it first if it is missing.
///
/// # Errors
/// Returns an error if Maven cannot fetch it.
pub fn jar(group: &str, name: &str, version: &str, dir: &Path) -> Result<PathBuf> {
    let jar = dir.join(format!("{name}-{version}.jar"));
    if jar.exists() {
        return Ok(jar);
    }
    std::fs::create_dir_all(dir).map_err(Error::about(dir.display()))?;
    let artifact = format!("-Dartifact={group}:{name}:{version}");
    let output = format!("-DoutputDirectory={}", dir.display());
    run(Path::new("mvn"), &["--quiet", "--batch-mode", COPY, &artifact, &output], dir)?;
    Ok(jar)
}

/// Compiles a project into a directory; returns the class path of the result. The project takes the
/// directory from its property `output`, and writes its libraries' class path to `class-path.txt`.
///
/// # Errors
/// Returns an error if Maven is missing, or cannot fetch or compile something.
pub fn compile(project: &Path, dir: &Path) -> Result<String> {
    std::fs::create_dir_all(dir).map_err(Error::about(dir.display()))?;
    let output = format!("-Doutput={}", dir.display());
    run(Path::new("mvn"), &["--quiet", "--batch-mode", &output, "compile"], project)?;
    let libraries = dir.join("class-path.txt");
    let class_path =
        std::fs::read_to_string(&libraries).map_err(Error::about(libraries.display()))?;
    Ok(format!("{}:{class_path}", dir.join("classes").display()))
}
