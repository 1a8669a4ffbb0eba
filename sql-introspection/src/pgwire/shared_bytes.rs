//! Memory that all connections share, so that many of them cannot together take what one may.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A number of bytes that all connections share.
#[derive(Debug, Clone)]
pub(super) struct SharedBytes {
    taken: Arc<AtomicUsize>,
    max: usize,
}

/// What one connection has taken.
#[derive(Debug)]
pub(super) struct Taken {
    of: SharedBytes,
    bytes: usize,
}

impl SharedBytes {
    pub(super) fn new(max: usize) -> Self {
        Self { taken: Arc::default(), max }
    }

    /// Takes nothing yet.
    pub(super) fn take(&self) -> Taken {
        Taken { of: self.clone(), bytes: 0 }
    }
}

impl Taken {
    /// Changes how many bytes are taken; returns whether there are as many. If not, what was taken
    /// before stays.
    pub(super) fn resize(&mut self, bytes: usize) -> bool {
        if bytes <= self.bytes {
            self.of.taken.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        } else {
            let more = bytes - self.bytes;
            let before = self.of.taken.fetch_add(more, Ordering::Relaxed);
            if before + more > self.of.max {
                self.of.taken.fetch_sub(more, Ordering::Relaxed);
                return false;
            }
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_takes_others_cannot_until_it_is_given_back() {
        let shared = SharedBytes::new(10);
        let (mut a, mut b) = (shared.take(), shared.take());
        assert!(a.resize(6) && b.resize(4) && !b.resize(5) && !a.resize(7));
        assert!(a.resize(2) && b.resize(8) && !b.resize(9));
        drop(b);
        assert!(a.resize(10));
    }
}
