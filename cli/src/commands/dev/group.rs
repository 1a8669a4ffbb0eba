//! A process with everything that it starts, and what they say.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::Child,
    task::JoinHandle,
    time::timeout,
};

use crate::{error::DevError, output::text::printable};

/// How long a process may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(10);

/// Longer lines are shown in parts of this size, in bytes: a program may never end its line.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// A process in a group of its own, which is ended with it.
pub(super) struct Group {
    child: Child,
    /// Processes that it has started are in this group, too.
    group: Option<Pid>,
    readers: Vec<JoinHandle<()>>,
}

impl Group {
    /// Starts a command whose lines are shown behind `name`.
    pub(super) fn start(name: &'static str, words: &[String]) -> Result<Self, DevError> {
        let failed = |cause| DevError::Start { command: words.join(" "), cause };
        let Some((program, arguments)) = words.split_first() else {
            return Err(failed(io::ErrorKind::InvalidInput.into()));
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        // Ctrl-C is for us, who end them in order.
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = tokio::process::Command::from(command).spawn().map_err(failed)?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let out = child.stdout.take().map(|out| tokio::spawn(show(name, out)));
        let err = child.stderr.take().map(|err| tokio::spawn(show(name, err)));
        Ok(Self { child, group, readers: out.into_iter().chain(err).collect() })
    }

    /// Waits until the process has ended. May be called again.
    pub(super) async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Ends the process and what it has started.
    pub(super) async fn stop(mut self) {
        self.signal(Signal::TERM);
        if timeout(GRACE, self.child.wait()).await.is_err() {
            self.signal(Signal::KILL);
            _ = self.child.wait().await;
        }
        // What it has started may be slower than itself.
        self.signal(Signal::KILL);
        for reader in self.readers.drain(..) {
            _ = timeout(Duration::from_secs(1), reader).await;
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // Those that have ended already need none.
            _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Shows what arrives line by line, whatever bytes these are.
async fn show(name: &'static str, from: impl AsyncRead + Unpin) {
    let mut from = BufReader::new(from);
    while let Some(line) = line(&mut from).await {
        // As it is, colours included: it is the user's own program.
        let line = [format!("{name:<7} | ").as_bytes(), line.trim_ascii_end(), b"\n"].concat();
        _ = io::Write::write_all(&mut io::stdout(), &line);
    }
}

/// The next line, or as much of it as is shown at a time; `None` at the end.
async fn line(from: &mut (impl AsyncBufRead + Unpin)) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = from.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await.ok()?;
    (read > 0).then_some(line)
}

/// Says something between the lines of the processes.
pub(super) fn tell(text: &str) {
    // There is nobody left to tell that this failed.
    _ = io::Write::write_all(
        &mut io::stderr(),
        format!("abide   | {}\n", printable(text)).as_bytes(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_that_does_not_end_is_shown_in_parts() {
        let mut lines = &b"a\n\nb"[..];
        for expected in ["a\n", "\n", "b"] {
            assert_eq!(line(&mut lines).await.unwrap(), expected.as_bytes());
        }
        assert_eq!(line(&mut lines).await, None);
        let mut endless = BufReader::new(tokio::io::repeat(b'x'));
        for _ in 0..2 {
            assert_eq!(line(&mut endless).await.unwrap().len() as u64, LINE_BYTES_MAX);
        }
    }
}
