//! When a log does its background work. Pure: the caller passes the time in.

use std::time::Duration;

/// A log that has been idle for this long seals its last batch. Until then, or until the next
/// batch, nothing on disk proves that the last batch was intact. This also limits how often a seal
/// costs a sync.
pub(crate) const SEAL_AFTER: Duration = Duration::from_millis(100);

/// How often to retry what failed because the disk was full or returned an error.
pub(crate) const RETRY_AFTER: Duration = Duration::from_millis(200);

/// A background task of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chore {
    Seal,
    Retry,
}

/// Which tasks are due when. Times are relative to an arbitrary fixed moment.
#[derive(Debug, Default)]
pub(crate) struct Chores {
    seal_at: Option<Duration>,
    retry_at: Option<Duration>,
}

impl Chores {
    /// Notes that a commit or seal was attempted. Unless `is_sealed`, its frames are not yet
    /// recorded as synced.
    pub(crate) fn committed(&mut self, now: Duration, is_sealed: bool) {
        self.seal_at = (!is_sealed).then_some(now + SEAL_AFTER);
    }

    /// Notes whether anything that failed has to be retried.
    pub(crate) fn owes(&mut self, now: Duration, owes: bool) {
        self.retry_at = owes.then_some(self.retry_at.unwrap_or(now + RETRY_AFTER));
    }

    /// Returns a task that is due now. Each is returned once, until it is scheduled again.
    pub(crate) fn due(&mut self, now: Duration) -> Option<Chore> {
        if self.seal_at.is_some_and(|at| at <= now) {
            self.seal_at = None;
            return Some(Chore::Seal);
        }
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            return Some(Chore::Retry);
        }
        None
    }

    /// How long until a task is due; `None` if none is scheduled.
    pub(crate) fn wait(&self, now: Duration) -> Option<Duration> {
        let next = match (self.seal_at, self.retry_at) {
            (Some(seal), Some(retry)) => Some(seal.min(retry)),
            (seal, retry) => seal.or(retry),
        };
        next.map(|next| next.saturating_sub(now))
    }
}
