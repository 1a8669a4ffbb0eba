//! One attempt as the contexts and futures of a handler see it: the Vm behind a lock, and the
//! wakers of the futures that wait.
//!
//! The lock is never contended, since only one thread polls the handler at a time. It exists so
//! that a handler can move between threads.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use sdk_core::{Handle, Offer, Site, Vm, VmError, Wait, WaitNode, random::Random};

use crate::{context::saga::Compensation, error::Terminal};

/// A source of time: the system clock, or a virtual clock in tests.
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;
}

/// The system clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Properties that do not change during an attempt.
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
    /// The waker of each run whose closure is in progress, which records whether the closure can
    /// continue.
    alarms: BTreeMap<Handle, Arc<RunWaker>>,
    /// Why the attempt cannot continue even though the handler could; its futures then stay
    /// pending.
    pub(crate) fault: Option<Fault>,
    /// The wait node under which futures are being polled.
    pub(crate) node: WaitNode,
    /// Nesting depth of `uncancelled` around the futures that are being polled.
    pub(crate) shields: u32,
    /// The name of the run whose closure is being polled.
    pub(crate) running: Option<String>,
    /// Number of sagas started so far.
    pub(crate) sagas: u32,
    /// The compensations of all sagas, oldest first.
    pub(crate) compensations: Vec<Compensation>,
}

/// Wakes the handler on behalf of a closure, and remembers that it did.
#[derive(Debug)]
pub(crate) struct RunWaker {
    is_ringing: AtomicBool,
    handler: Waker,
}

impl Wake for RunWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_ringing.store(true, Ordering::SeqCst);
        self.handler.wake_by_ref();
    }
}

/// Why an attempt ended before the handler did.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The Vm has already reported it on the wire.
    Told,
    /// Not reported yet; the cause may be fixed outside the handler, so a retry can succeed.
    Untold(String),
    /// Not reported yet; the handler's code is wrong.
    Misuse(String),
}

thread_local! {
    /// Whether the handler being polled on this thread is replaying its journal.
    static REPLAYING: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling code runs in a handler that is replaying its journal: whatever it logs now
/// was logged before.
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
            node: WaitNode::ROOT,
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

    /// Issues a command. `None` if the attempt has ended; the command's future then stays pending.
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

    /// Fails the attempt if a run's closure is being polled, since closures must not use the
    /// context.
    #[track_caller]
    pub(crate) fn check_outside_run(&self) {
        self.lock().check_outside_run(Location::caller());
    }

    /// Fails the attempt, for a cause that must be fixed before a retry can succeed.
    pub(crate) fn give_up(&self, message: String) {
        self.lock().fault.get_or_insert(Fault::Untold(message));
    }

    /// Milliseconds since the Unix epoch; differs between replays.
    pub(crate) fn now_ms(&self) -> u64 {
        self.facts.clock.now_ms()
    }
}

impl State {
    /// Records a fault if a run's closure is being polled; false if the attempt is over.
    fn check_outside_run(&mut self, location: &Location<'_>) -> bool {
        if let Some(run) = &self.running {
            let message = format!(
                "{location} uses the context within the run '{run}': a run's closure is outside the \
                 journal, so do that before or after it"
            );
            self.fault.get_or_insert(Fault::Misuse(message));
        }
        self.fault.is_none()
    }

    /// The waker for polling a closure, with which it wakes the handler.
    pub(crate) fn alarm(&mut self, handle: Handle, handler: &Waker) -> Waker {
        let handler = handler.clone();
        let alarm = Arc::new(RunWaker { is_ringing: AtomicBool::new(false), handler });
        self.alarms.insert(handle, Arc::clone(&alarm));
        Waker::from(alarm)
    }

    /// Pauses the runs whose closures have woken the handler although it did not poll their
    /// futures: it is holding them back.
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

    /// The result of a future, if it has arrived. Otherwise keeps the waker and returns `None`.
    pub(crate) fn poll(
        &mut self,
        handle: Handle,
        waker: &Waker,
    ) -> Option<Result<protocol::journal::NotificationResult, Terminal>> {
        if self.fault.is_some() {
            return None;
        }
        if let Some(run) = &self.running {
            let message = format!("a journaled result is awaited within the run '{run}'");
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
        self.vm.wait(handle, Wait { node: self.node, is_shielded: self.shields > 0 });
        self.wakers
            .entry(handle)
            .and_modify(|known| known.clone_from(waker))
            .or_insert_with(|| waker.clone());
        None
    }

    /// Stops waiting for a future that was dropped.
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

/// While this guard lives, log lines of the thread count as this attempt's.
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
