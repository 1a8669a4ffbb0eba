//! Counts the fsyncs of any server from outside, with strace.
//!
//! The server runs under strace with a seccomp filter, so that only the counted calls stop it and
//! all others run at full speed. Fsyncs are still counted in a separate, short run, whose timings
//! are not used.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The system calls that wait for a disk.
const TRACED_CALLS: &str = "trace=fsync,fdatasync,syncfs,sync,msync";

/// The strace output file, with one system call per line.
#[derive(Clone, Debug)]
pub struct FsyncTrace {
    path: PathBuf,
}

impl FsyncTrace {
    /// Prepares a trace into the given file; `None` if the machine has no working strace.
    pub fn new(path: &Path) -> Option<Self> {
        let works = Command::new("strace")
            .args(["-f", "--seccomp-bpf", "-e", TRACED_CALLS, "-o", "/dev/null", "true"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        works.then(|| Self { path: path.to_owned() })
    }

    /// The arguments to put in front of the server's command line.
    ///
    /// With `-D`, strace runs as a grandchild, and the started process is the server itself.
    pub fn command_prefix(&self) -> Vec<OsString> {
        let fixed = ["strace", "-D", "-f", "--seccomp-bpf", "-e", TRACED_CALLS];
        let mut words: Vec<OsString> = fixed.map(Into::into).to_vec();
        words.extend(["-e".into(), "signal=none".into(), "-o".into(), self.path.clone().into()]);
        words
    }

    /// Number of fsyncs so far.
    pub fn count(&self) -> u64 {
        count_calls(&fs::read_to_string(&self.path).unwrap_or_default())
    }
}

/// Counts the calls. One that another thread interrupts takes two lines, of which only the first
/// counts.
fn count_calls(trace: &str) -> u64 {
    let is_call = |line: &&str| line.contains("sync(") && !line.contains(" resumed>");
    trace.lines().filter(is_call).map(|_| 1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupted_calls_count_once() {
        let trace = "\
            9103  fdatasync(3)                      = 0\n\
            9104  fsync(5 <unfinished ...>\n\
            9103  fdatasync(3)                      = 0\n\
            9104  <... fsync resumed>)              = 0\n\
            9103  +++ exited with 0 +++\n";
        assert_eq!(count_calls(trace), 3);
    }
}
