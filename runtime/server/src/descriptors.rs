//! File descriptors: the process takes as many as the system allows, and shares them out so that no
//! client can take those that the log and the tables need.

use std::sync::Arc;

use anyhow::{Result, ensure};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

/// Descriptors that connections can't have: for the log's segments, those written and those being
/// read, for the partitions' table files, for checkpoints and compactions, for the listeners, and
/// for the runtime itself.
const OWN: u64 = 64;
/// More than this is not needed, even if the limit is higher or there is none.
const ENOUGH: u64 = 1 << 20;
/// The minimum that a node can work with: its own descriptors, and some connections of each kind.
const LEAST: u64 = 256;

/// The number of connections of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    /// From clients.
    pub(crate) ingress: usize,
    /// From operators.
    pub(crate) admin: usize,
    /// For SQL.
    pub(crate) sql: usize,
    /// To endpoints.
    pub(crate) endpoints: usize,
}

/// The least that a server starts with.
pub(crate) fn least(partitions: u16) -> u64 {
    LEAST + 2 * u64::from(partitions)
}

/// What suffices for this many clients' connections, whatever else there is.
pub(crate) fn enough_for(connections_max: usize) -> u64 {
    // Clients get half of what is left, in `share`.
    OWN + 2 * connections_max as u64
}

/// Has a write that would make a file too large for the process (`ulimit -f`) fail like one on a full
/// disk, which says what it was. By default, a signal ends the process without a word.
pub(crate) fn have_large_files_fail() {
    // The flag is nobody's: what counts is that the signal is handled. Where that is not possible,
    // the default is what is left.
    _ = signal_hook::flag::register(Signal::XFSZ.as_raw(), Arc::default());
}

/// Raises the limit of open files as far as the system allows, and shares it out.
///
/// # Errors
/// Returns an error if there are too few.
pub(crate) fn take(partitions: u16, wanted: Shares) -> Result<Shares> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current,
        Err(error) => {
            tracing::debug!(%error, "the limit of open files cannot be raised");
            limit.current
        }
    };
    let limit = limit.unwrap_or(ENOUGH).min(ENOUGH);
    let least = least(partitions);
    ensure!(
        limit >= least,
        "the process may open {limit} files, but needs at least {least}: raise the limit \
         (ulimit -n), then start again"
    );
    let shares = share(limit, partitions, wanted);
    if shares.ingress != wanted.ingress || shares.admin != wanted.admin {
        tracing::warn!(
            open_files = limit,
            ingress_connections = shares.ingress,
            admin_connections = shares.admin,
            "the limit of open files allows fewer connections than the settings; raise it (ulimit -n)"
        );
    }
    Ok(shares)
}

/// Of what `limit` leaves, up to half goes to the ingress, up to a sixteenth each to the admin API
/// and to SQL, and the rest, up to what is wanted, to connections to endpoints.
fn share(limit: u64, partitions: u16, wanted: Shares) -> Shares {
    let left = limit.saturating_sub(OWN + 2 * u64::from(partitions));
    let share = |part: u64, wanted: usize| {
        let most = usize::try_from(left / part).unwrap_or(usize::MAX);
        wanted.min(most).max(1)
    };
    let (ingress, admin) = (share(2, wanted.ingress), share(16, wanted.admin));
    let sql = share(16, wanted.sql);
    let rest = left.saturating_sub((ingress + admin + sql) as u64);
    let endpoints = wanted.endpoints.min(usize::try_from(rest).unwrap_or(usize::MAX)).max(1);
    Shares { ingress, admin, sql, endpoints }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        let wanted = Shares { ingress: 4096, admin: 256, sql: 1024, endpoints: 10_000 };
        assert_eq!(share(ENOUGH, 2, wanted), wanted);
        let few = Shares { ingress: 478, admin: 59, sql: 59, endpoints: 360 };
        assert_eq!(share(1024, 2, wanted), few);
        for partitions in [1, 2, 64] {
            for limit in [LEAST + 2 * u64::from(partitions), 1024, 4096] {
                let Shares { ingress, admin, sql, endpoints } = share(limit, partitions, wanted);
                let all = (ingress + admin + sql + endpoints) as u64;
                let taken = all + OWN + 2 * u64::from(partitions);
                assert!(taken <= limit, "{limit} {partitions}: {taken}");
                assert!(ingress > 0 && admin > 0 && sql > 0 && endpoints > 0);
            }
        }
    }
}
