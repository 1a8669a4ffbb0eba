//! Programs in Go.

use std::path::Path;

use crate::{Result, install::run};

/// Builds the program of a module, downloading what its `go.sum` lists if it is missing.
///
/// # Errors
/// Returns an error if Go is missing, or cannot download or build something.
pub fn build(module: &Path, program: &Path) -> Result<()> {
    run(Path::new("go"), &["build", "-trimpath", "-o", &program.to_string_lossy(), "."], module)
}
