//! Counts the work done on rows, so that tests can assert how it grows. Does nothing in other
//! builds.

#[cfg(test)]
thread_local! {
    static WORK: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Adds the number of rows or nodes visited.
#[cfg(test)]
pub(super) fn count(work: usize) {
    WORK.set(WORK.get() + work);
}

#[cfg(not(test))]
pub(super) fn count(_: usize) {}

/// Returns the count since the last call on this thread.
#[cfg(test)]
pub(crate) fn take() -> usize {
    WORK.take()
}
