//! Child processes: built, started with a log of their own, ended with us.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::Result;

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A program of this workspace, in the profile that README's commands share.
pub(crate) fn binary(name: &str) -> PathBuf {
    target().join("debug").join(name)
}

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

/// A child process with a log; killed when it is dropped.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    pub(crate) log: PathBuf,
}

impl Process {
    /// Starts a program; its output is appended to `log`.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        arguments: &[String],
        log: &Path,
    ) -> Result<Self> {
        let open = || File::options().create(true).append(true).open(log);
        let output = open().and_then(|file| Ok((file.try_clone()?, file)));
        let (stdout, stderr) = output.map_err(|error| format!("{}: {error}", log.display()))?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        Ok(Self { name, child, log: log.to_owned() })
    }

    /// Kills it with SIGKILL: it gets no chance to say goodbye.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill().map_err(|error| format!("{}: {error}", self.name))?;
        self.child.wait().map_err(|error| format!("{}: {error}", self.name))?;
        Ok(())
    }

    /// An error if it has ended by itself, with the end of its log.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                Err(format!("{} has ended: {status}\n{}", self.name, tail(&self.log)))
            }
            Err(error) => Err(format!("{}: {error}", self.name)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, which is all that is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
