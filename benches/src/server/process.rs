//! A child process that writes to a log file and never outlives its owner.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, anyhow};
use tokio::process::{Child, Command};

use super::launch::Launch;

/// A running child process.
pub(super) struct ServerProcess {
    child: Child,
    pid: u32,
    log: PathBuf,
}

impl ServerProcess {
    /// Starts the command, preceded by the prefix if there is one.
    pub(super) fn start(launch: &Launch, prefix: &[OsString], log: &Path) -> anyhow::Result<Self> {
        let output = OpenOptions::new().create(true).append(true).open(log)?;
        let mut words = prefix.iter().cloned().chain([launch.program.clone().into()]);
        let first = words.next().context("an empty command")?;
        let child = Command::new(first)
            .args(words)
            .args(&launch.args)
            .envs(launch.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!(
                    "cannot start {:?}; see benches/README.md for what to build",
                    launch.program
                )
            })?;
        let pid = child.id().context("the child has ended already")?;
        Ok(Self { child, pid, log: log.to_owned() })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Kills the process with SIGKILL and waits until it is gone.
    pub(super) async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Waits until the process ends by itself, which is a failure.
    pub(super) async fn ended(&mut self) -> anyhow::Error {
        match self.child.wait().await {
            Ok(status) => anyhow!("ended with {status}; its log is {:?}", self.log),
            Err(error) => error.into(),
        }
    }
}
