//! Locates the programs of this workspace that cargo builds.

use std::path::{Path, PathBuf};

/// The root of the checkout.
pub fn root() -> PathBuf {
    let this = Path::new(env!("CARGO_MANIFEST_DIR"));
    this.ancestors().nth(2).unwrap_or(this).to_owned()
}

/// Path of a workspace program, built with the same profile as the current program.
pub fn binary(name: &str) -> PathBuf {
    profile().join(name)
}

/// The target directory, for everything that is built or written; git ignores it.
pub fn target() -> PathBuf {
    profile().parent().map_or_else(PathBuf::new, Path::to_owned)
}

/// The directory of the current program, which contains the others built with the same profile.
fn profile() -> PathBuf {
    // If the system cannot name the current program, the resulting path does not exist, and
    // starting a program reports that.
    let this = std::env::current_exe().unwrap_or_default();
    // Test binaries are one level deeper.
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
