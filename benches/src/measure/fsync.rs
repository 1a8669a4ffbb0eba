//! Counts the fsyncs of any server from outside, with strace.
//!
//! The server is started under strace with a seccomp filter, so that only the calls counted stop
//! it; all others run at full speed. It still is a separate, short run, whose times are not used.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The calls that wait for a disk.
const TRACED_CALLS: &str = "trace=fsync,fdatasync,syncfs,sync,msync";

/// The file a server's fsyncs are written to, one a line.
#[derive(Clone, Debug)]
pub struct FsyncTrace {
    path: PathBuf,
}

impl FsyncTrace {
    /// A trace into the given file, or nothing on a machine without a working strace.
    pub fn new(path: &Path) -> Option<Self> {
        let works = Command::new("strace")
            .args(["-f", "--seccomp-bpf", "-e", TRACED_CALLS, "-o", "/dev/null", "true"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        works.then(|| Self { path: path.to_owned() })
    }

    /// The words to put before the server's command line.
    ///
    /// With `-D` strace is the grandchild, and the process that is started is the server itself.
    pub fn command_prefix(&self) -> Vec<OsString> {
        let fixed = ["strace", "-D", "-f", "--seccomp-bpf", "-e", TRACED_CALLS];
        let mut words: Vec<OsString> = fixed.map(Into::into).to_vec();
        words.extend(["-e".into(), "signal=none".into(), "-o".into(), self.path.clone().into()]);
        words
    }

    /// How many fsyncs there have been so far.
    pub fn count(&self) -> u64 {
        count_calls(&fs::read_to_string(&self.path).unwrap_or_default())
    }
}

/// A call that another thread interrupts takes two lines; the first of them counts.
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
