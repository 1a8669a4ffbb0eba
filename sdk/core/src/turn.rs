//! One turn of a handler that is made of ordinary futures.
//!
//! The rule that makes every combinator deterministic: poll the handler until it is pending and
//! nothing has woken it; offer *the first result in journal order that a future waits for*, wake
//! that future, poll again. An offer that no poll takes goes back to its position, and its future
//! counts as waiting again only once it is polled again. So the choice depends on the journal and
//! on what the handler waits for, never on when bytes arrived, and an attempt that sees a prefix of
//! the journal makes the same choices as one that sees all of it.
//!
//! Call [`Vm::wait`] when polling a future leaves it pending, [`Vm::stop_waiting`] when it is
//! dropped, and [`Vm::take_offer`] first thing when it is polled; call [`Vm::turn`] when the
//! handler is pending.

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
    replay::Progress,
    running::Running,
    syscalls::run::RunState,
    vm::{Handle, Sabotage, Vm},
    waiting::{Offer, OnOffer, Wait, WaitNode},
};

/// What the executor has to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Wake the future that waits for this handle, then poll the handler.
    Offered(Handle),
    /// Wake the futures of these runs so that they execute their closures; see [`Vm::may_execute`].
    Execute(Vec<Handle>),
    /// Only progress of an executing closure, or more input, can help.
    Executing,
    /// Only more input can help.
    NeedInput,
    /// The attempt has ended; a later attempt continues once a notification arrives.
    Suspended,
}

impl Vm {
    /// Adds a combinator node for the futures that wait under it.
    pub fn new_wait_node(&mut self, parent: WaitNode, combinator: Combinator) -> WaitNode {
        let running = self.running_mut();
        running.map_or(WaitNode::ROOT, |running| running.waiting.new_wait_node(parent, combinator))
    }

    /// Registers the wait of a future that was polled and is pending.
    pub fn wait(&mut self, handle: Handle, wait: Wait) {
        if let Some(running) = self.running_mut() {
            running.waiting.wait(handle, wait);
        }
    }

    /// Unregisters the wait of a future that was dropped.
    pub fn stop_waiting(&mut self, handle: Handle) {
        if let Some(running) = self.running_mut() {
            running.stop_waiting(handle);
        }
    }

    /// The closure of a run wants to continue, but its future was not polled: until it is, the
    /// closure counts as not executing.
    pub fn pause_run(&mut self, handle: Handle) {
        if self.may_execute(handle) {
            self.stop_waiting(handle);
        }
    }

    /// Takes what is on offer to the future that waits for this handle; an offer can be taken only
    /// once.
    pub fn take_offer(&mut self, handle: Handle) -> Option<Offer> {
        self.running_mut()?.take_offer(handle)
    }

    /// Takes a result that was available along with its command; returns it only once.
    pub fn take(&mut self, handle: Handle) -> Option<NotificationResult> {
        self.running_mut()?.take(handle)
    }

    /// Whether the handler waits for anything in the journal.
    pub fn is_waiting(&self) -> bool {
        self.running().is_some_and(Running::is_waiting)
    }

    /// Whether the closure of this run should execute now.
    pub fn may_execute(&self, handle: Handle) -> bool {
        self.running().is_some_and(|running| running.may_execute(handle))
    }

    /// Determines what to do next. Call it when the handler is pending and nothing has woken it.
    ///
    /// # Errors
    /// Returns an error if the handler can't continue the way the journal says it did; the attempt
    /// has ended then.
    pub fn turn(&mut self) -> Result<Turn, VmError> {
        let turn = self.with_running(Running::turn)?;
        if turn == Turn::Suspended {
            self.close(None);
        }
        Ok(turn)
    }
}

impl Running {
    fn stop_waiting(&mut self, handle: Handle) {
        self.waiting.stop(handle);
        if let Some(run) = self.runs.get_mut(&handle) {
            run.state = RunState::Waiting; // Its closure was dropped with it.
        }
    }

    fn take_offer(&mut self, handle: Handle) -> Option<Offer> {
        let on_offer = &mut self.waiting.on_offer;
        if let Some(OnOffer { offer, .. }) = on_offer.take_if(|offer| offer.handle == handle) {
            self.runs.remove(&handle);
            match &offer {
                Offer::Cancelled(_) => self.cancellation.taken(),
                Offer::Result(NotificationResult::InvocationId(id)) => {
                    self.callees.id_taken(handle, id);
                }
                Offer::Result(_) => (),
            }
            return Some(offer);
        }
        if self.options.sabotage == Some(Sabotage::AllAtOnce) {
            let wanted = self.id(handle);
            if let Some((_, _, result)) = self.results.take_first(|id| *id == wanted) {
                return Some(Offer::Result(result));
            }
        }
        // What comes along with a command is available from the start, on every replay.
        self.take(handle).map(Offer::Result)
    }

    fn is_waiting(&self) -> bool {
        !self.waiting.is_empty() || self.cancellation.callee_to_tell().is_some()
    }

    fn may_execute(&self, handle: Handle) -> bool {
        self.runs.get(&handle).is_some_and(|run| run.state == RunState::Executing)
    }

    fn turn(&mut self) -> Result<Turn, VmError> {
        self.withdraw();
        if !self.tell_callees()? {
            let mut runs = self.runs.values();
            let is_executing = runs.any(|run| run.state == RunState::Executing);
            return if is_executing { Ok(Turn::Executing) } else { self.wait_for_input(false) };
        }
        if let Some(handle) = self.cancellation.next_wait(&self.waiting) {
            let offer = Offer::Cancelled(TerminalFailure::new(409, "cancelled"));
            return Ok(self.offer(handle, offer, None));
        }
        let Some((at, id, result)) = self.next_result() else { return self.without_result() };
        match self.waiting.waiter(&id) {
            Some(handle) => Ok(self.offer(handle, Offer::Result(result), Some((at, id)))),
            None => {
                let callees = self.callees.take_open(&self.waiting);
                self.cancellation.begin(callees, &self.waiting);
                self.turn()
            }
        }
    }

    /// Withdraws an offer that no poll has taken.
    fn withdraw(&mut self) {
        let Some(OnOffer { offer, origin, .. }) = self.waiting.on_offer.take() else { return };
        if let (Offer::Result(result), Some((at, id))) = (offer, origin) {
            let is_lost = self.options.sabotage == Some(Sabotage::LosesPosition);
            self.results.put_back(if is_lost { usize::MAX } else { at }, id, result);
        }
    }

    fn offer(
        &mut self,
        handle: Handle,
        offer: Offer,
        origin: Option<(usize, NotificationId)>,
    ) -> Turn {
        self.waiting.stop(handle);
        self.waiting.on_offer = Some(OnOffer { handle, offer, origin });
        Turn::Offered(handle)
    }

    /// The first result that a future waits for, or the cancel signal, along with its position.
    fn next_result(&mut self) -> Option<(usize, NotificationId, NotificationResult)> {
        let is_cancellable = self.is_cancellable();
        let waiting = &self.waiting;
        let wants = |id: &NotificationId| {
            waiting.waiter(id).is_some() || (is_cancellable && *id == cancel_signal())
        };
        match self.options.sabotage {
            Some(Sabotage::NewestFirst) => self.results.take_last(wants),
            Some(Sabotage::LosesPosition | Sabotage::AllAtOnce) | None => {
                self.results.take_first(wants)
            }
        }
    }

    fn is_cancellable(&self) -> bool {
        self.options.implicit_cancellation && self.waiting.open().next().is_some()
    }

    /// Sends the cancel signal to every callee, in call order; returns false if a callee's id has
    /// not arrived.
    fn tell_callees(&mut self) -> Result<bool, VmError> {
        while let Some(callee) = self.cancellation.callee_to_tell() {
            let target = match self.results.find(&self.id(callee)) {
                Some(NotificationResult::InvocationId(id)) => id.clone(),
                Some(_) => {
                    return Err(VmError::Protocol("a callee's id is not a valid id".to_owned()));
                }
                None => match self.callees.taken_id(callee) {
                    Some(id) => id.to_owned(),
                    None => return Ok(false),
                },
            };
            let signal = SignalId::Index(CANCEL_SIGNAL);
            let result = NotificationResult::Void;
            self.issue(Command::SendSignal { target, signal, result })?;
            self.cancellation.callee_told();
        }
        Ok(true)
    }

    /// Determines the turn when no result that has arrived can help.
    fn without_result(&mut self) -> Result<Turn, VmError> {
        if let Progress::Replaying(replay) = &self.progress {
            let found = crate::error::show(&replay.peek()?);
            let at = self.waiting.first().and_then(|handle| self.made_at(handle));
            return Err(VmError::AwaitInReplay { index: self.command_index, found, at });
        }
        let mut fresh = Vec::new();
        let mut is_executing = false;
        for (handle, run) in &mut self.runs {
            match run.state {
                // It counts as waiting again once it is polled, which starts its closure.
                RunState::Waiting if self.waiting.stop(*handle) => {
                    run.state = RunState::Executing;
                    fresh.push(*handle);
                }
                RunState::Executing if self.waiting.contains(*handle) => is_executing = true,
                // It was scheduled, but its future was not polled.
                RunState::Executing => run.state = RunState::Waiting,
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
        let mut awaiting = match self.cancellation.callee_to_tell() {
            Some(callee) => Awaiting::any_of(vec![self.id(callee)]),
            None => self.awaited(WaitNode::ROOT, Combinator::FirstCompleted),
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
        Ok(Turn::Suspended)
    }

    /// What the handler waits for at and below a wait node.
    fn awaited(&self, node: WaitNode, combinator: Combinator) -> Awaiting {
        let below = self.waiting.below(node);
        let nested = below.map(|(node, combinator)| self.awaited(node, combinator));
        let leaves = self.waiting.at(node).map(|handle| self.id(handle)).collect();
        let nested = nested.filter(|awaiting| !awaiting.is_empty()).collect();
        Awaiting::node(combinator, leaves, nested)
    }
}

fn cancel_signal() -> NotificationId {
    NotificationId::Signal(SignalId::Index(CANCEL_SIGNAL))
}
