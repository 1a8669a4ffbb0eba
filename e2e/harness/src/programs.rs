//! Where cargo puts the programs of this workspace.

use std::path::{Path, PathBuf};

/// The root of the checkout.
pub fn root() -> PathBuf {
    let this = Path::new(env!("CARGO_MANIFEST_DIR"));
    this.ancestors().nth(2).unwrap_or(this).to_owned()
}

/// A program of this workspace, built in the same profile as the one that asks.
pub fn binary(name: &str) -> PathBuf {
    profile().join(name)
}

/// The directory for whatever is built or written, which git ignores.
pub fn target() -> PathBuf {
    profile().parent().map_or_else(PathBuf::new, Path::to_owned)
}

/// Where the program that asks is, with those that were built like it.
fn profile() -> PathBuf {
    // A system that doesn't say where its programs are can't be used for this; the path that is missing
    // then stands in the error of whoever starts one.
    let this = std::env::current_exe().unwrap_or_default();
    // Tests are one level deeper.
    let dir = this.ancestors().skip(1).find(|dir| !dir.ends_with("deps"));
    dir.map_or_else(PathBuf::new, Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_this_workspace() {
        assert!(root().join("e2e/harness/src/programs.rs").exists());
        assert!(binary("deps").is_dir(), "{}", binary("deps").display());
        assert_eq!(binary("abide").ancestors().nth(2).unwrap(), target());
    }
}
