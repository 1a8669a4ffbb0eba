//! One attempt as the contexts and futures of a handler see it: the Vm behind a lock, and who waits.
//!
//! The lock is never contended: the handler is polled by one thread at a time. It is there so that a
//! handler may move between threads.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use sdk_core::{Handle, Offer, Place, Site, Vm, VmError, Wait, random::Random};

use crate::{context::saga::Compensation, error::Terminal};

/// Where the time comes from: the computer's clock, or a test's.
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;
}

/// The computer's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }
}

/// What does not change during an attempt.
pub(crate) struct Facts {
    pub(crate) service: &'static str,
    pub(crate) handler: &'static str,
    pub(crate) invocation_id: String,
    pub(crate) key: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) limit_key: Option<String>,
    pub(crate) retry_count: u32,
    pub(crate) random_seed: u64,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Public in a private module, so that a sealed trait can name it.
pub struct Attempt {
    pub(crate) facts: Facts,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) vm: Box<Vm>,
    pub(crate) random: Random,
    pub(crate) input: Bytes,
    wakers: BTreeMap<Handle, Waker>,
    /// Of each run whose closure is under way: whether it wants to go on.
    alarms: BTreeMap<Handle, Arc<Alarm>>,
    /// Why the attempt cannot go on although the handler might: the futures stay pending then.
    pub(crate) fault: Option<Fault>,
    /// The combinator under which futures are polled at the moment.
    pub(crate) place: Place,
    /// How many `uncancelled` are around the futures that are polled at the moment.
    pub(crate) shields: u32,
    /// The run whose closure is polled at the moment.
    pub(crate) running: Option<String>,
    /// How many sagas have begun.
    pub(crate) sagas: u32,
    /// What is to be undone, oldest first.
    pub(crate) compensations: Vec<Compensation>,
}

/// Wakes the handler for a closure, and remembers that it did.
#[derive(Debug)]
pub(crate) struct Alarm {
    is_ringing: AtomicBool,
    handler: Waker,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_ringing.store(true, Ordering::SeqCst);
        self.handler.wake_by_ref();
    }
}

/// Why an attempt ended without the handler.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The Vm has said so on the wire already.
    Told,
    /// It is still to be said; somebody may mend it elsewhere.
    Untold(String),
    /// It is still to be said: the handler's code is wrong.
    Misuse(String),
}

thread_local! {
    /// Whether the handler that is polled on this thread does again what the journal has.
    static REPLAYING: Cell<bool> = const { Cell::new(false) };
}

/// Whether the code that asks runs in a handler that does again what its journal has: whatever it
/// logs now was logged before.
pub fn is_replaying() -> bool {
    REPLAYING.get()
}

impl Attempt {
    pub(crate) fn new(vm: Box<Vm>, facts: Facts, input: Bytes) -> Self {
        let random = Random::new(facts.random_seed);
        let state = State {
            vm,
            random,
            input,
            wakers: BTreeMap::new(),
            alarms: BTreeMap::new(),
            fault: None,
            place: Place::ROOT,
            shields: 0,
            running: None,
            sagas: 0,
            compensations: Vec::new(),
        };
        Self { facts, state: Mutex::new(state) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Issues a command; `None` when the attempt has ended, and its future stays pending.
    #[track_caller]
    pub(crate) fn issue<T>(
        &self,
        command: impl FnOnce(&mut Vm) -> Result<T, VmError>,
    ) -> Option<T> {
        let location = Location::caller();
        let mut state = self.lock();
        if !state.check_outside_run(location) {
            return None;
        }
        state.vm.locate(Site::Call(location));
        let outcome = command(&mut state.vm);
        REPLAYING.set(state.vm.is_replaying());
        match outcome {
            Ok(issued) => Some(issued),
            Err(_) => {
                state.fault = Some(Fault::Told);
                None
            }
        }
    }

    /// Refuses what a run's closure must not do.
    #[track_caller]
    pub(crate) fn check_outside_run(&self) {
        self.lock().check_outside_run(Location::caller());
    }

    /// The attempt can't go on: somebody has to change something.
    pub(crate) fn give_up(&self, message: String) {
        self.lock().fault.get_or_insert(Fault::Untold(message));
    }

    /// Milliseconds since the Unix epoch; not the same on every replay.
    pub(crate) fn now_ms(&self) -> u64 {
        self.facts.clock.now_ms()
    }
}

impl State {
    /// Refuses what a run's closure must not do; false when the attempt is over.
    fn check_outside_run(&mut self, location: &Location<'_>) -> bool {
        if let Some(run) = &self.running {
            let message = format!(
                "{location} uses the context within the run '{run}': a run's closure is outside of the \
                 journal, so do that before or after it"
            );
            self.fault.get_or_insert(Fault::Misuse(message));
        }
        self.fault.is_none()
    }

    /// A closure goes on; it wakes the handler by this.
    pub(crate) fn alarm(&mut self, handle: Handle, handler: &Waker) -> Waker {
        let handler = handler.clone();
        let alarm = Arc::new(Alarm { is_ringing: AtomicBool::new(false), handler });
        self.alarms.insert(handle, Arc::clone(&alarm));
        Waker::from(alarm)
    }

    /// Closures that have woken the handler, whose futures it has not polled: it holds them back.
    pub(crate) fn pause_unpolled_runs(&mut self) {
        let vm = &mut self.vm;
        self.alarms.retain(|handle, alarm| {
            let is_ringing = alarm.is_ringing.load(Ordering::SeqCst);
            if is_ringing {
                vm.pause_run(*handle);
            }
            !is_ringing
        });
    }

    /// What there is for a future: its result, or nothing yet, and its waker is kept.
    pub(crate) fn poll(
        &mut self,
        handle: Handle,
        waker: &Waker,
    ) -> Option<Result<protocol::journal::NotificationResult, Terminal>> {
        if self.fault.is_some() {
            return None;
        }
        if let Some(run) = &self.running {
            let message = format!("a result of the journal is awaited within the run '{run}'");
            self.fault = Some(Fault::Misuse(message));
            return None;
        }
        if let Some(offer) = self.vm.take_offer(handle) {
            self.wakers.remove(&handle);
            return Some(match offer {
                Offer::Result(result) => Ok(result),
                Offer::Cancelled(failure) => Err(Terminal::cancelled(failure)),
            });
        }
        self.vm.wait(handle, Wait { place: self.place, is_shielded: self.shields > 0 });
        self.wakers
            .entry(handle)
            .and_modify(|known| known.clone_from(waker))
            .or_insert_with(|| waker.clone());
        None
    }

    /// A future is gone.
    pub(crate) fn forget(&mut self, handle: Handle) {
        self.wakers.remove(&handle);
        self.alarms.remove(&handle);
        self.vm.stop_waiting(handle);
    }

    pub(crate) fn waker(&self, handle: Handle) -> Option<&Waker> {
        self.wakers.get(&handle)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.fault.is_some() || self.vm.has_ended()
    }
}

/// While it lives, the thread's log lines count as this attempt's.
pub(crate) struct Polling;

impl Polling {
    pub(crate) fn enter(is_replaying: bool) -> Self {
        REPLAYING.set(is_replaying);
        Self
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        REPLAYING.set(false);
    }
}
