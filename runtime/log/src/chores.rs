//! When a log does what nobody has asked it for. Pure: time comes in.

use std::time::Duration;

/// A log that has been idle for this long seals its last batch. Until then, and until the next batch,
/// nothing on disk proves that it was whole; and more often than this no seal costs a sync.
pub(crate) const SEAL_AFTER: Duration = Duration::from_millis(100);

/// What could not be done for want of room, or because the disk refused, is tried again this often.
pub(crate) const RETRY_AFTER: Duration = Duration::from_millis(200);

/// Something to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chore {
    Seal,
    Retry,
}

/// What is to be done, and when. Times are distances from any one moment.
#[derive(Debug, Default)]
pub(crate) struct Chores {
    seal_at: Option<Duration>,
    retry_at: Option<Duration>,
}

impl Chores {
    /// A commit was made, or tried: its frames, if there are any, are not yet named as synced.
    pub(crate) fn committed(&mut self, now: Duration, is_sealed: bool) {
        self.seal_at = (!is_sealed).then_some(now + SEAL_AFTER);
    }

    /// Something is still to be done that did not work, or nothing is.
    pub(crate) fn owes(&mut self, now: Duration, owes: bool) {
        self.retry_at = owes.then_some(self.retry_at.unwrap_or(now + RETRY_AFTER));
    }

    /// What is to be done now. Each is given once, until it is asked for again.
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

    /// How long there is nothing to be done; `None` when there is nothing at all.
    pub(crate) fn wait(&self, now: Duration) -> Option<Duration> {
        let next = match (self.seal_at, self.retry_at) {
            (Some(seal), Some(retry)) => Some(seal.min(retry)),
            (seal, retry) => seal.or(retry),
        };
        next.map(|next| next.saturating_sub(now))
    }
}
