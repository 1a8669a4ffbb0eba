//! One turn of a handler that is made of ordinary futures.
//!
//! The rule that makes any combinator deterministic: poll the handler until it is pending and nothing
//! has woken it; offer *the first result in journal order whose future waits*, wake that future, poll
//! again. An offer that no poll has taken goes back to its place, and its future waits again only when
//! it is polled again. So the choice depends on the journal and on what the handler waits for, never on
//! when bytes arrived, and an attempt that sees a prefix of the journal chooses as one that sees all.
//!
//! Call [`Vm::wait`] when a future is polled in vain, [`Vm::stop_waiting`] when it is dropped, and
//! [`Vm::take_offer`] first of all when it is polled; [`Vm::turn`] when the handler is pending.

use std::collections::{BTreeMap, VecDeque};

use protocol::{
    TerminalFailure,
    journal::{
        Awaiting, Combinator, Command, NotificationId, NotificationResult,
        notification::{CANCEL_SIGNAL, SignalId},
    },
    wire::control::Suspension,
};

use crate::{
    error::VmError,
    syscalls::run::RunState,
    vm::{Handle, Sabotage, Stage, Vm},
};

/// A node of the tree of what a handler waits for; [`Place::ROOT`] is for what stands alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u32);

impl Place {
    /// Where a future waits that no combinator has spoken for: any result wakes the handler.
    pub const ROOT: Self = Self(0);
}

/// How a future waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Under which combinator.
    pub place: Place,
    /// Whether a cancellation passes it by.
    pub is_shielded: bool,
}

/// What a future that waited is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// Its result.
    Result(NotificationResult),
    /// The invocation was cancelled while it waited.
    Cancelled(TerminalFailure),
}

/// What the executor has to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Wake the future that waits for this, then poll the handler.
    Offered(Handle),
    /// Wake the futures of these runs: their closures are to be executed, see [`Vm::may_execute`].
    Execute(Vec<Handle>),
    /// Only a closure that is being executed, or more input, can help.
    Executing,
    /// Only more input can help.
    NeedInput,
    /// The attempt has ended; it goes on elsewhere when something arrives.
    Suspended,
}

/// Who waits, and what is on offer.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    waits: BTreeMap<Handle, (Wait, Poll)>,
    polls: Poll,
    /// Which handles stand for a signal; a completion has one handle only.
    signals: BTreeMap<SignalId, Vec<Handle>>,
    /// The handle of each completion, in the order of their numbers.
    completions: Vec<Handle>,
    /// Combinators: the parent of each and how it decides. The root is not among them.
    nodes: Vec<(Place, Combinator)>,
    on_offer: Option<OnOffer>,
    /// Who is still to hear of the cancellation, in the order of the handles.
    to_cancel: VecDeque<Handle>,
    /// A cancellation that nobody has taken yet, since when: it is for the first that waits from then on.
    unheard: Option<Poll>,
}

/// Counts polls in vain.
type Poll = u64;

#[derive(Debug)]
struct OnOffer {
    handle: Handle,
    offer: Offer,
    /// Where the result goes back to; `None` for a cancellation, which is lost on who has gone.
    origin: Option<(usize, NotificationId)>,
}

impl Waiting {
    /// A new handle and what it stands for.
    pub(crate) fn know(&mut self, handle: Handle, id: &NotificationId) {
        match id {
            NotificationId::Completion(_) => self.completions.push(handle),
            NotificationId::Signal(signal) => {
                self.signals.entry(signal.clone()).or_default().push(handle);
            }
        }
    }

    /// The first handle, in the order of the handles, that waits for this.
    fn waiter(&self, id: &NotificationId) -> Option<Handle> {
        let candidates = match id {
            NotificationId::Completion(number) => {
                let at = usize::try_from(*number).ok()?.checked_sub(1)?;
                std::slice::from_ref(self.completions.get(at)?)
            }
            NotificationId::Signal(signal) => self.signals.get(signal)?.as_slice(),
        };
        candidates.iter().copied().find(|handle| self.waits.contains_key(handle))
    }
}

fn cancel_signal() -> NotificationId {
    NotificationId::Signal(SignalId::Index(CANCEL_SIGNAL))
}

impl Vm {
    /// A new combinator, for the futures that wait under it.
    pub fn new_place(&mut self, parent: Place, combinator: Combinator) -> Place {
        self.waiting.nodes.push((parent, combinator));
        Place(u32::try_from(self.waiting.nodes.len()).unwrap_or(u32::MAX))
    }

    /// A future was polled and there was nothing for it.
    pub fn wait(&mut self, handle: Handle, wait: Wait) {
        self.waiting.polls += 1;
        self.waiting.waits.insert(handle, (wait, self.waiting.polls));
    }

    /// A future is gone.
    pub fn stop_waiting(&mut self, handle: Handle) {
        self.waiting.waits.remove(&handle);
        if let Some(state) = self.runs.get_mut(&handle) {
            *state = RunState::Waiting; // Its closure went with it.
        }
    }

    /// The closure of a run wants to go on, but its future was not polled: until it is, nothing of it is
    /// under way.
    pub fn pause_run(&mut self, handle: Handle) {
        if self.may_execute(handle) {
            self.stop_waiting(handle);
        }
    }

    /// What there is for the future that waits for this: taken, it is gone.
    pub fn take_offer(&mut self, handle: Handle) -> Option<Offer> {
        if let Some(on_offer) = self.waiting.on_offer.take_if(|offer| offer.handle == handle) {
            self.runs.remove(&handle);
            if matches!(on_offer.offer, Offer::Cancelled(_)) {
                self.waiting.unheard = None;
            }
            if let Offer::Result(id @ NotificationResult::InvocationId(_)) = &on_offer.offer {
                self.known_callees.insert(handle, id.clone());
            }
            return Some(on_offer.offer);
        }
        if self.options.sabotage == Some(Sabotage::AllAtOnce) {
            let wanted = self.id(handle);
            if let Some((_, _, result)) = self.results.take_first(|id| *id == wanted) {
                return Some(Offer::Result(result));
            }
        }
        // What a command carries with it is there from the first moment, on every replay.
        self.take(handle).map(Offer::Result)
    }

    /// Whether anything of the journal is waited for.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.waits.is_empty() || self.cancelling.is_some()
    }

    /// Whether the closure of this run is to be executed now.
    pub fn may_execute(&self, handle: Handle) -> bool {
        self.runs.get(&handle) == Some(&RunState::Executing)
    }

    /// Says what to do when the handler is pending and nothing has woken it.
    ///
    /// # Errors
    /// When the handler can't go on as the journal says it did; the attempt has ended then.
    pub fn turn(&mut self) -> Result<Turn, VmError> {
        self.check_open()?;
        self.withdraw();
        let outcome = self.try_turn();
        self.or_fail(outcome)
    }

    /// Takes an offer back that no poll has taken.
    fn withdraw(&mut self) {
        let Some(OnOffer { offer, origin, .. }) = self.waiting.on_offer.take() else { return };
        if let (Offer::Result(result), Some((at, id))) = (offer, origin) {
            let is_lost = self.options.sabotage == Some(Sabotage::LosesPlace);
            self.results.put_back(if is_lost { usize::MAX } else { at }, id, result);
        }
    }

    fn try_turn(&mut self) -> Result<Turn, VmError> {
        if self.cancelling.is_some() && !self.tell_callees()? {
            let is_executing = self.runs.values().any(|state| *state == RunState::Executing);
            return if is_executing { Ok(Turn::Executing) } else { self.wait_for_input(false) };
        }
        if let Some(since) = self.waiting.unheard
            && self.waiting.to_cancel.is_empty()
        {
            let waits = self.waiting.waits.iter();
            let fresh = waits.filter(|(_, wait)| is_open(wait) && wait.1 > since);
            self.waiting.to_cancel = fresh.map(|(handle, _)| *handle).collect();
        }
        while let Some(handle) = self.waiting.to_cancel.pop_front() {
            let waits = &mut self.waiting.waits;
            if waits.get(&handle).is_some_and(is_open) {
                waits.remove(&handle);
                let offer = Offer::Cancelled(TerminalFailure::new(409, "cancelled"));
                self.waiting.on_offer = Some(OnOffer { handle, offer, origin: None });
                return Ok(Turn::Offered(handle));
            }
        }
        let is_cancellable = self.is_cancellable();
        let waiting = &self.waiting;
        let wants = |id: &NotificationId| {
            waiting.waiter(id).is_some() || (is_cancellable && *id == cancel_signal())
        };
        let taken = match self.options.sabotage {
            Some(Sabotage::NewestFirst) => self.results.take_last(wants),
            Some(Sabotage::LosesPlace | Sabotage::AllAtOnce) | None => {
                self.results.take_first(wants)
            }
        };
        let Some((at, id, result)) = taken else { return self.without_result() };
        match waiting.waiter(&id) {
            Some(handle) => {
                self.waiting.waits.remove(&handle);
                let (offer, origin) = (Offer::Result(result), Some((at, id)));
                self.waiting.on_offer = Some(OnOffer { handle, offer, origin });
                Ok(Turn::Offered(handle))
            }
            None => {
                let open = self.waiting.waits.iter().filter(|(_, wait)| is_open(wait));
                self.waiting.to_cancel = open.map(|(handle, _)| *handle).collect();
                self.waiting.unheard = Some(self.waiting.polls);
                // A call that is shielded is left alone, and so is its callee.
                let waits = &self.waiting.waits;
                let is_shielded =
                    |answer: &Handle| waits.get(answer).is_some_and(|wait| !is_open(wait));
                let (shielded, told): (VecDeque<_>, VecDeque<_>) =
                    self.callees.drain(..).partition(|(_, answer)| is_shielded(answer));
                self.callees = shielded;
                self.cancelling = Some(told.into_iter().map(|(id, _)| id).collect());
                self.try_turn()
            }
        }
    }

    fn is_cancellable(&self) -> bool {
        self.options.implicit_cancellation && self.waiting.waits.values().any(is_open)
    }

    /// Tells every callee that it is cancelled, in the order of the calls; false when the id of one
    /// has not arrived.
    fn tell_callees(&mut self) -> Result<bool, VmError> {
        while let Some(callee) =
            self.cancelling.as_ref().and_then(|callees| callees.front().copied())
        {
            let id = self.id(callee);
            let Some(result) = self.results.find(&id).or_else(|| self.known_callees.get(&callee))
            else {
                return Ok(false);
            };
            let NotificationResult::InvocationId(target) = result.clone() else {
                return Err(VmError::Protocol("a callee's id is no id".to_owned()));
            };
            let signal = SignalId::Index(CANCEL_SIGNAL);
            let result = NotificationResult::Void;
            self.issue(Command::SendSignal { target, signal, result }.into())?;
            if let Some(callees) = &mut self.cancelling {
                callees.pop_front();
            }
        }
        self.cancelling = None;
        Ok(true)
    }

    /// Nothing that has arrived helps.
    fn without_result(&mut self) -> Result<Turn, VmError> {
        if self.stage == Stage::Replaying
            && let Some(found) = self.replay.peek()?
        {
            let found = crate::error::show(&found);
            let at = self.waiting.waits.keys().next().and_then(|handle| self.made_at(*handle));
            return Err(VmError::AwaitInReplay { index: self.command_index, found, at });
        }
        let waits = &mut self.waiting.waits;
        let mut fresh = Vec::new();
        let mut is_executing = false;
        for (handle, state) in &mut self.runs {
            match state {
                // It counts as waiting again when it is polled, which begins its closure.
                RunState::Waiting if waits.remove(handle).is_some() => {
                    *state = RunState::Executing;
                    fresh.push(*handle);
                }
                RunState::Executing if waits.contains_key(handle) => is_executing = true,
                // Told to begin, but its future was not polled.
                RunState::Executing => *state = RunState::Waiting,
                RunState::Waiting => (),
            }
        }
        if !fresh.is_empty() {
            return Ok(Turn::Execute(fresh));
        }
        if is_executing {
            return Ok(Turn::Executing);
        }
        self.wait_for_input(true)
    }

    fn wait_for_input(&mut self, may_be_cancelled: bool) -> Result<Turn, VmError> {
        if !self.is_input_closed {
            return Ok(Turn::NeedInput);
        }
        let mut awaiting = match self.cancelling.as_ref().and_then(VecDeque::front) {
            Some(callee) => Awaiting::any_of(vec![self.id(*callee)]),
            None => self.awaited(Place::ROOT, Combinator::FirstCompleted),
        };
        if awaiting.is_empty() {
            let after = self.site.map(|site| site.to_string());
            return Err(VmError::WaitsForNothing { after });
        }
        if may_be_cancelled && self.is_cancellable() {
            let leaves = vec![cancel_signal()];
            awaiting = Awaiting::node(Combinator::FirstCompleted, leaves, vec![awaiting]);
        }
        self.write(&Suspension { awaiting }.encode(self.version));
        self.stage = Stage::Closed;
        Ok(Turn::Suspended)
    }

    /// What is waited for at and below a place.
    fn awaited(&self, place: Place, combinator: Combinator) -> Awaiting {
        let waits = self.waiting.waits.iter().filter(|(_, (wait, _))| wait.place == place);
        let nodes = (1u32..).map(Place).zip(&self.waiting.nodes);
        let below = nodes.filter(|(_, (parent, _))| *parent == place);
        let nested = below.map(|(node, (_, combinator))| self.awaited(node, *combinator));
        let leaves = waits.map(|(handle, _)| self.id(*handle)).collect();
        let nested = nested.filter(|awaiting| !awaiting.is_empty()).collect();
        Awaiting::node(combinator, leaves, nested)
    }
}

/// Whether a cancellation reaches it.
fn is_open((wait, _): &(Wait, Poll)) -> bool {
    !wait.is_shielded
}
