//! Wake-ups that need not wake a task that is already polling.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use futures::task::AtomicWaker;

/// Whether something needs to be polled. A task that polls in a loop, between
/// [`begin`](Self::begin) and [`rest`](Self::rest), checks the flag itself; at other times a
/// wake-up wakes the task.
#[derive(Debug, Default)]
pub(crate) struct WakeUp {
    is_wanted: AtomicBool,
    is_driving: AtomicBool,
    task: AtomicWaker,
}

impl WakeUp {
    /// Starts a polling loop in the task of this waker.
    pub(crate) fn begin(&self, task: &Waker) {
        self.task.register(task);
        self.is_driving.store(true, Ordering::SeqCst);
    }

    /// Whether a poll was requested since the last call.
    pub(crate) fn take(&self) -> bool {
        self.is_wanted.swap(false, Ordering::SeqCst)
    }

    /// Requests a poll from the polling loop, without waking the task.
    pub(crate) fn want(&self) {
        self.is_wanted.store(true, Ordering::SeqCst);
    }

    /// Ends the polling loop. Returns true if a wake-up arrived just before and relied on the loop,
    /// in which case it must be polled again.
    pub(crate) fn rest(&self) -> bool {
        self.is_driving.store(false, Ordering::SeqCst);
        self.is_wanted.load(Ordering::SeqCst)
    }
}

impl Wake for WakeUp {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.want();
        if !self.is_driving.load(Ordering::SeqCst) {
            self.task.wake();
        }
    }
}
