//! The load of the whole machine, and facts about it.

use std::fs;

use anyhow::Context as _;

use super::process::TICK_US;

/// Busy time of all processors together since boot, in microseconds.
pub fn busy_us() -> anyhow::Result<u64> {
    let stat = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    parse_busy_us(&stat).context("/proc/stat is malformed")
}

/// Facts about the machine, as names and values.
pub fn facts() -> Vec<(String, String)> {
    let first = |path: &str, name: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.and_then(|line| line.split_once(':').map(|(_, value)| value.trim().to_owned()))
            .unwrap_or_else(|| "unknown".to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    vec![
        ("cores".into(), cores.to_string()),
        ("processor".into(), first("/proc/cpuinfo", "model name")),
        ("memory".into(), first("/proc/meminfo", "MemTotal")),
        ("kernel".into(), kernel.trim().to_owned()),
        ("load average at the start".into(), load.trim().to_owned()),
    ]
}

/// Sums user, nice, system, interrupt and soft interrupt time; excludes idle, I/O wait and steal
/// time.
fn parse_busy_us(stat: &str) -> Option<u64> {
    let fields: Vec<u64> = stat
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .map(|field| field.parse().ok())
        .collect::<Option<_>>()?;
    let [user, nice, system, _idle, _wait, interrupt, soft, ..] = fields[..] else {
        return None;
    };
    Some((user + nice + system + interrupt + soft) * TICK_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_and_waiting_are_not_busy() {
        let stat = "cpu  1 2 3 1000 1000 4 5 1000 0 0\ncpu0 9 9 9\n";
        assert_eq!(parse_busy_us(stat), Some(15 * TICK_US));
    }
}
