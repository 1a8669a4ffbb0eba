//! The locks that threads of this crate meet at: the system's, or a model checker's that tries every
//! way in which they can cross.

use std::time::Duration;

#[cfg(not(feature = "loom"))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[cfg(feature = "loom")]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(feature = "loom")]
pub(crate) use std::sync::PoisonError;

/// The lock, also after a panic while it was held: on a partition's or the log's thread that ends the
/// process, and an edge's only puts in or takes out whole things under it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until `is_ready`, or for as long as `patience`.
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

/// The same without an end: whoever is not woken in a model waits for ever, which it reports.
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
