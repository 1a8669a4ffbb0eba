//! Cargo, told to do things by a program that it has started itself.

use std::process::Command;

use e2e_harness::programs::root;

use crate::Result;

/// Builds what is named, with features chosen for the whole workspace: they are the same as those of
/// `cargo test --workspace`, and hardly a dependency is compiled twice.
pub(crate) fn build(what: &[&str]) -> Result<()> {
    cargo(&[&["build", "--workspace"], what].concat())
}

pub(crate) fn cargo(arguments: &[&str]) -> Result<()> {
    cargo_with(arguments, &[])
}

/// The same, with more of an environment.
pub(crate) fn cargo_with(arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(arguments).envs(environment.iter().copied()).current_dir(root());
    // What `cargo run` says about this program is not for the builds it starts: the build scripts of some
    // crates look at it, and would run again in the next build by hand.
    for (name, _) in std::env::vars_os() {
        let is_ours = |prefix: &&str| name.to_str().is_some_and(|name| name.starts_with(prefix));
        if OF_THIS_PROGRAM.iter().any(is_ours) {
            command.env_remove(&name);
        }
    }
    run(&mut command)
}

/// Variables that cargo sets for a program it runs.
const OF_THIS_PROGRAM: [&str; 5] =
    ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"];

/// Runs a command to its end; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let status = command.status().map_err(|error| format!("{shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown}: {status}")) }
}
