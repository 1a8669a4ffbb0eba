//! Resource usage of one process, from `/proc`.

use std::fs;

use anyhow::Context as _;

/// Microseconds per clock tick: `/proc` counts in hundredths of a second on all Linux systems.
pub const TICK_US: u64 = 10_000;

/// Cumulative usage of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessUsage {
    /// User and system time, in microseconds.
    pub cpu_us: u64,
    /// Bytes that the process caused to be written to storage.
    pub written_bytes: u64,
    /// Current resident memory, in bytes.
    pub rss_bytes: u64,
}

impl ProcessUsage {
    /// Reads the usage of a running process.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
        };
        Ok(Self {
            cpu_us: cpu_us(&read("stat")?).context("/proc stat is malformed")?,
            written_bytes: field(&read("io")?, "write_bytes:").context("no write_bytes")?,
            rss_bytes: 1024 * field(&read("status")?, "VmRSS:").context("no VmRSS")?,
        })
    }
}

/// Returns user plus system time. Fields are counted from after the command name, which may contain
/// any characters.
fn cpu_us(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * TICK_US)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_command_name() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0 20";
        assert_eq!(cpu_us(stat), Some(420_000));
    }

    #[test]
    fn this_process_has_memory() {
        let usage = ProcessUsage::of(std::process::id()).unwrap();
        assert!(usage.rss_bytes > 0);
    }

    #[test]
    fn write_bytes_is_not_cancelled_write_bytes() {
        let io = "wchar: 1\nwrite_bytes: 4096\ncancelled_write_bytes: 9\n";
        assert_eq!(field(io, "write_bytes:"), Some(4096));
    }
}
