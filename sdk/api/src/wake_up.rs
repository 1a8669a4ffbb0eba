//! Waking somebody who is at it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use futures::task::AtomicWaker;

/// Whether something wants to be polled. Whoever polls it in a loop, between [`begin`](Self::begin) and
/// [`rest`](Self::rest), finds out by asking; at other times its task is woken.
#[derive(Debug, Default)]
pub(crate) struct WakeUp {
    is_wanted: AtomicBool,
    is_driving: AtomicBool,
    task: AtomicWaker,
}

impl WakeUp {
    /// Somebody drives it now, in the task of this waker.
    pub(crate) fn begin(&self, task: &Waker) {
        self.task.register(task);
        self.is_driving.store(true, Ordering::SeqCst);
    }

    /// Whether it was wanted since it was last asked.
    pub(crate) fn take(&self) -> bool {
        self.is_wanted.swap(false, Ordering::SeqCst)
    }

    /// Says that it is wanted, to who drives it.
    pub(crate) fn want(&self) {
        self.is_wanted.store(true, Ordering::SeqCst);
    }

    /// Nobody drives it now. True when somebody has woken it in the last moment, relying on its being
    /// driven: it has to be driven again.
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
