//! How much an endpoint may send on a stream before it is read. An attempt whose message waits for
//! memory is not read, so this takes memory too: the more attempts there are, the smaller the
//! windows.

use std::sync::Arc;

use tokio::sync::watch;

/// Budget for data received but not read, across all attempts, unless windows are at
/// [`LEAST_BYTES`].
const ALL_BYTES: usize = 32 << 20;

/// The window on a node with little load: enough for a few megabytes per second from a distant
/// endpoint.
pub(crate) const MOST_BYTES: u32 = 256 << 10;

/// The smallest window, however many attempts there are.
const LEAST_BYTES: u32 = 4 << 10;

/// Windows shrink and grow by this factor, so that changes are rare.
const STEP: u32 = 4;

/// The current window of each stream. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Windows(Arc<watch::Sender<u32>>);

impl Default for Windows {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(MOST_BYTES)))
    }
}

impl Windows {
    /// The window in bytes; connections subscribe to its changes.
    pub(crate) fn follow(&self) -> watch::Receiver<u32> {
        self.0.subscribe()
    }

    /// Adjusts the window to the number of attempts in progress.
    pub(crate) fn fit(&self, attempts: usize) {
        let now = *self.0.borrow();
        let next = fitting(now, attempts);
        if next != now {
            self.0.send_replace(next);
        }
    }
}

/// Shrinks when necessary, and grows only to what would still fit with twice as many attempts.
fn fitting(now: u32, attempts: usize) -> u32 {
    if now > of(attempts) { of(attempts) } else { now.max(of(attempts.saturating_mul(2))) }
}

/// The largest window that fits the budget with this many streams.
fn of(attempts: usize) -> u32 {
    let mut bytes = MOST_BYTES;
    while bytes > LEAST_BYTES && attempts.saturating_mul(bytes as usize) > ALL_BYTES {
        bytes /= STEP;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_fit_into_their_memory_and_do_not_flutter() {
        let windows = Windows::default();
        let bytes = windows.follow();
        let mut seen = Vec::new();
        for attempts in [0, 128, 129, 128, 65, 64, 5000, 10_000, 1500, 1024, 0] {
            windows.fit(attempts);
            seen.push(*bytes.borrow() >> 10);
            let all = attempts * *bytes.borrow() as usize;
            assert!(all <= ALL_BYTES || *bytes.borrow() == LEAST_BYTES, "{attempts} take {all}");
        }
        assert_eq!(seen, [256, 256, 64, 64, 64, 256, 4, 4, 4, 16, 256]);
    }
}
