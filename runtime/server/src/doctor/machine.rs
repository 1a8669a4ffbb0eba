//! This machine: limits, clocks, ports.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::thread::sleep;
use std::time::Duration;

use cli::doctor::Finding;
use runtime_partition::clock::source::{SystemSource, TimeSource};
use rustix::process::{Resource, getrlimit};

use crate::{
    config::{Config, DEFAULT_PARTITIONS, settings::Address},
    descriptors, memory_watch, node,
};

const LIMITS: &str = "limits";

/// Looks at what the system lets a server have. A server that runs may have other limits than this
/// process: those of its service or its container.
pub(super) fn limits(config: &Config, partitions: Option<u16>) -> Vec<Finding> {
    let partitions = partitions.or(config.partitions).unwrap_or(DEFAULT_PARTITIONS);
    let mut findings = vec![open_files(config, partitions)];
    findings.extend(memory(config));
    findings
}

fn open_files(config: &Config, partitions: u16) -> Finding {
    let Some(limit) = getrlimit(Resource::Nofile).maximum else {
        return Finding::ok(LIMITS, "any number of files may be open");
    };
    let found = format!("{limit} files may be open");
    let advice = "raise the limit: LimitNOFILE for systemd, ulimit -n for a shell";
    let least = descriptors::least(partitions);
    if limit < least {
        let found = format!("{found}, and a server needs at least {least}");
        return Finding::problem(LIMITS, found, advice);
    }
    let enough = descriptors::enough_for(config.connections_max);
    if limit < enough {
        let found = format!("{found}; all connections that the settings allow need {enough}");
        return Finding::warning(LIMITS, found, advice);
    }
    Finding::ok(LIMITS, found)
}

/// Compares the limit of a container with what a server may take.
fn memory(config: &Config) -> Option<Finding> {
    let most = config.memory_budget_bytes as u64 + memory_watch::BESIDES_BUDGET_BYTES;
    let limit = cgroup_bytes()?;
    let found = format!("{} MiB of memory are allowed here (cgroup)", limit >> 20);
    Some(if limit >= most {
        Finding::ok(LIMITS, found)
    } else {
        let found =
            format!("{found}; with memory-budget-bytes, a server may take {} MiB", most >> 20);
        Finding::warning(LIMITS, found, "raise the limit, or lower memory-budget-bytes")
    })
}

/// The memory that the control group of this process may take; `None` without a limit.
fn cgroup_bytes() -> Option<u64> {
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?.trim_start_matches('/');
    let mut dir = Some(std::path::Path::new("/sys/fs/cgroup").join(path));
    let mut least = None::<u64>;
    // A limit further up holds as well.
    while let Some(here) = dir.filter(|dir| dir.starts_with("/sys/fs/cgroup")) {
        let limit = std::fs::read_to_string(here.join("memory.max")).ok();
        let limit = limit.and_then(|text| text.trim().parse().ok());
        least = least.into_iter().chain(limit).min();
        dir = here.parent().map(std::path::Path::to_owned);
    }
    least
}

/// How long the clocks are watched.
const WATCHED: Duration = Duration::from_millis(200);
/// By how much they may differ after that, in microseconds: setting a clock moves it by more.
const DIFFERENCE_US_MAX: u64 = 50_000;

/// Whether the system's clock is set, and advances as time does.
pub(super) fn clocks() -> Finding {
    let read = || (SystemSource.boot_us(), SystemSource.wall_us());
    let before = read();
    sleep(WATCHED);
    let after = read();
    if let Err(error) = node::check_time(after.1) {
        return Finding::problem("clock", error.to_string(), "no server starts before that");
    }
    let (boot_us, wall_us) = (after.0 - before.0, after.1.saturating_sub(before.1));
    if wall_us.abs_diff(boot_us) > DIFFERENCE_US_MAX {
        let found = format!("the system's clock advanced by {wall_us} us in {boot_us} us");
        let advice = "something sets it; the node's own clock follows slowly: docs/operations.md, \
                      The clock";
        return Finding::warning("clock", found, advice);
    }
    Finding::ok("clock", "the system's clock is set, and advances as time does")
}

/// Whether a server could listen there.
pub(super) fn port(what: &str, address: &Address) -> Finding {
    let resolved = match address.resolve() {
        Ok(resolved) => resolved,
        Err(error) => {
            let advice =
                format!("the server of {what} cannot listen there: choose another address");
            return Finding::problem("ports", format!("{address}: {error:#}"), advice);
        }
    };
    match TcpListener::bind(&resolved[..]) {
        Ok(_) => Finding::ok("ports", format!("{address} is free ({what})")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Finding::warning(
            "ports",
            format!("something listens on {address} ({what})"),
            "unless it is a server on another data directory, stop it, or choose another port",
        ),
        Err(error) => Finding::problem(
            "ports",
            format!("{address} ({what}): {error}"),
            "choose an address of this machine, and a port above 1023 unless this is root",
        ),
    }
}
