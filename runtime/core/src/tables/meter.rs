//! Counts the work on rows, so that tests can say how it grows. Does nothing outside of them.

#[cfg(test)]
thread_local! {
    static WORK: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// So many rows or nodes have been looked at.
#[cfg(test)]
pub(super) fn count(work: usize) {
    WORK.set(WORK.get() + work);
}

#[cfg(not(test))]
pub(super) fn count(_: usize) {}

/// What has been counted since the last call, on this thread.
#[cfg(test)]
pub(crate) fn take() -> usize {
    WORK.take()
}
