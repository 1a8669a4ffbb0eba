//! The locks through which threads of this crate interact: the system's, or those of a model
//! checker that tries every interleaving.

use std::time::Duration;

#[cfg(not(feature = "loom"))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[cfg(feature = "loom")]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(feature = "loom")]
pub(crate) use std::sync::PoisonError;

/// Locks a mutex, even after a thread panicked while holding it: a panic on a partition's or the
/// log's thread ends the process, and an edge's thread only inserts or removes whole values under
/// the lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until `is_ready`, but no longer than `patience`.
#[cfg(not(feature = "loom"))]
pub(crate) fn wait<'a, T>(
    arrived: &Condvar,
    guard: MutexGuard<'a, T>,
    patience: Duration,
    is_ready: impl Fn(&T) -> bool,
) -> MutexGuard<'a, T> {
    let waited = arrived.wait_timeout_while(guard, patience, |value| !is_ready(value));
    waited.unwrap_or_else(PoisonError::into_inner).0
}

/// The same without a timeout: in a model, a thread that is not woken waits forever, which the
/// checker reports.
#[cfg(feature = "loom")]
pub(crate) fn wait<'a, T>(
    arrived: &Condvar,
    mut guard: MutexGuard<'a, T>,
    _: Duration,
    is_ready: impl Fn(&T) -> bool,
) -> MutexGuard<'a, T> {
    while !is_ready(&guard) {
        guard = arrived.wait(guard).unwrap_or_else(PoisonError::into_inner);
    }
    guard
}
