//! A child process: where its output goes, how it exits, and that it does not outlive its owner.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};

use crate::{Error, Result};

/// A child process; killed on drop.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    log: Option<Log>,
}

/// A process's log file; earlier processes may have written to the same file.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    begins_at: u64,
}

/// Number of log lines that an error includes.
const LINES_SAID: usize = 20;

impl Process {
    /// Starts a command and appends its output to a file.
    ///
    /// # Errors
    /// Returns an error if the command does not start, or the file cannot be opened.
    pub fn start(name: &'static str, mut command: Command, log: &Path) -> Result<Self> {
        let open = || File::options().create(true).append(true).open(log);
        let opened = open().and_then(|file| Ok((file.metadata()?.len(), file.try_clone()?, file)));
        let (begins_at, stdout, stderr) = opened.map_err(Error::about(log.display()))?;
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let mut process = Self::spawn(name, command)?;
        process.log = Some(Log { path: log.to_owned(), begins_at });
        Ok(process)
    }

    /// Starts a command without redirecting its output.
    ///
    /// # Errors
    /// Returns an error if it does not start.
    pub fn spawn(name: &'static str, mut command: Command) -> Result<Self> {
        let program = PathBuf::from(command.get_program());
        let child = command.spawn().map_err(Error::about(program.display()))?;
        Ok(Self { name, child, log: None })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    /// Returns an error if the signal cannot be sent.
    pub fn terminate(&self) -> Result<()> {
        let status = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        let status = status.map_err(Error::about("kill"))?;
        if status.success() {
            return Ok(());
        }
        Err(Error::new(format!("{} cannot be sent SIGTERM: {status}", self.name)))
    }

    /// Sends SIGKILL and waits until the process is gone.
    ///
    /// # Errors
    /// Returns an error if the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().map_err(Error::about(self.name))?;
        self.wait()?;
        Ok(())
    }

    /// Waits until the process exits, and returns its status.
    ///
    /// # Errors
    /// Returns an error if waiting fails.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        self.child.wait().map_err(Error::about(self.name))
    }

    /// Returns the exit status, or `None` while the process runs.
    ///
    /// # Errors
    /// Returns an error if the status cannot be queried.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().map_err(Error::about(self.name))
    }

    /// Checks that the process is still running.
    ///
    /// # Errors
    /// Returns an error with the exit status and the end of the log if it has exited.
    pub fn check(&mut self) -> Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => {
                Err(Error::new(format!("{} has exited: {status}\n{}", self.name, self.said())))
            }
        }
    }

    /// The last lines of its log.
    pub fn said(&self) -> String {
        let text = self.log.as_ref().and_then(|log| log.read().ok()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES_SAID)..].join("\n")
    }

    /// Takes the standard output, once; only available if the command set it to a pipe.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Takes the standard error, like [`Self::take_stdout`].
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that the process has already exited.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Log {
    fn read(&self) -> std::io::Result<String> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.begins_at))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn who_has_ended_says_so_in_its_own_words() {
        let log = std::env::temp_dir().join(format!("e2e-harness-{}.log", std::process::id()));
        let mut earlier = Process::start("the earlier", shell("echo earlier"), &log).unwrap();
        assert!(earlier.wait().unwrap().success());
        let mut later = Process::start("the later", shell("echo later >&2; exit 3"), &log).unwrap();
        later.wait().unwrap();
        let said = later.check().unwrap_err().to_string();
        assert_eq!(said, "the later has exited: exit status: 3\nlater");
        std::fs::remove_file(&log).unwrap();
    }

    #[test]
    fn nobody_outlives_its_owner() {
        let mut command = shell("exec sleep 600");
        command.stdout(Stdio::piped());
        let mut process = Process::spawn("a sleeper", command).unwrap();
        let mut stdout = process.take_stdout().unwrap();
        process.check().unwrap();
        drop(process);
        // The pipe closes once the last process that can write to it is gone.
        stdout.read_to_end(&mut Vec::new()).unwrap();
    }
}
