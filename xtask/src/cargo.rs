//! Running cargo from a program that cargo itself has started.

use std::process::Command;

use e2e_harness::programs::root;

use crate::Result;

/// Builds the given targets with features resolved for the whole workspace. They are then the same
/// as in `cargo test --workspace`, so hardly any dependency is compiled twice.
pub(crate) fn build(what: &[&str]) -> Result<()> {
    cargo(&[&["build", "--workspace"], what].concat())
}

pub(crate) fn cargo(arguments: &[&str]) -> Result<()> {
    cargo_with(arguments, &[])
}

/// Runs cargo with additional environment variables.
pub(crate) fn cargo_with(arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(arguments).envs(environment.iter().copied()).current_dir(root());
    // Don't pass on what `cargo run` sets for this program: some crates' build scripts read these
    // variables, and would rerun in the next build started by hand.
    for (name, _) in std::env::vars_os() {
        let is_ours = |prefix: &&str| name.to_str().is_some_and(|name| name.starts_with(prefix));
        if OF_THIS_PROGRAM.iter().any(is_ours) {
            command.env_remove(&name);
        }
    }
    run(&mut command)
}

/// Prefixes of the variables that cargo sets for a program it runs.
const OF_THIS_PROGRAM: [&str; 5] =
    ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"];

/// Runs a command to completion; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let status = command.status().map_err(|error| format!("{shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown}: {status}")) }
}
