//! Waiting for a tree of results: what the handler's executor has to do next.

use protocol::{
    TerminalFailure,
    journal::{
        Awaiting, Combinator, Command, NotificationId, NotificationResult,
        awaiting::Outcome,
        notification::{CANCEL_SIGNAL, SignalId},
    },
    wire::control::{self, Suspension},
};

use crate::{
    error::VmError,
    syscalls::run::RunState,
    vm::{Handle, Stage, Vm},
};

/// What a handler waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Await {
    /// How the children decide.
    pub combinator: Combinator,
    /// Results waited for directly.
    pub leaves: Vec<Handle>,
    /// Nested waits; siblings of the leaves.
    pub nested: Vec<Await>,
}

impl Await {
    /// A single result, or the first of several.
    pub fn first(leaves: impl Into<Vec<Handle>>) -> Self {
        Self { combinator: Combinator::FirstCompleted, leaves: leaves.into(), nested: Vec::new() }
    }

    /// All of several results.
    pub fn all(leaves: impl Into<Vec<Handle>>) -> Self {
        Self { combinator: Combinator::AllCompleted, leaves: leaves.into(), nested: Vec::new() }
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The wait is over: take the results.
    Ready,
    /// More input is needed.
    NeedInput,
    /// Execute the closure of this run, then propose its result.
    Execute(Handle),
    /// A closure is being executed: propose its result.
    Executing,
    /// The attempt has ended; it goes on elsewhere when something arrives.
    Suspended,
    /// The invocation was cancelled: this is the failure of what the handler waits for.
    Cancelled(TerminalFailure),
}

/// The cancel signal.
fn cancel_signal() -> NotificationId {
    NotificationId::Signal(SignalId::Index(CANCEL_SIGNAL))
}

impl Vm {
    /// Says what to do while the handler waits for `wait`.
    ///
    /// # Errors
    /// When the journal says that the handler did not wait here; the attempt has ended then.
    pub fn progress(&mut self, wait: &Await) -> Result<Progress, VmError> {
        self.check_open()?;
        let outcome = self.try_progress(wait);
        self.or_fail(outcome)
    }

    fn try_progress(&mut self, wait: &Await) -> Result<Progress, VmError> {
        loop {
            if self.cancelling.is_some() {
                return self.cancel_callees();
            }
            let tree = self.tree(wait);
            if tree.is_resolved(&mut |id| self.results.outcome(id)) {
                return Ok(Progress::Ready);
            }
            match self.results.reveal_next() {
                Some(id) if self.options.implicit_cancellation && id == cancel_signal() => {
                    self.results.take(&id);
                    self.cancelling = Some(std::mem::take(&mut self.callees));
                }
                Some(_) => (),
                None => return self.wait_for_more(wait, tree, true),
            }
        }
    }

    /// Tells every callee that it is cancelled, in the order of the calls, then the handler.
    fn cancel_callees(&mut self) -> Result<Progress, VmError> {
        while let Some(callee) =
            self.cancelling.as_ref().and_then(|callees| callees.front().copied())
        {
            let id = self.id(callee);
            match self.results.take(&id) {
                Some(NotificationResult::InvocationId(target)) => {
                    // It stays known to the handler.
                    self.results.show(id, NotificationResult::InvocationId(target.clone()));
                    let signal = SignalId::Index(CANCEL_SIGNAL);
                    let result = NotificationResult::Void;
                    self.issue(Command::SendSignal { target, signal, result }.into())?;
                    if let Some(callees) = &mut self.cancelling {
                        callees.pop_front();
                    }
                }
                Some(_) => {
                    return Err(VmError::Protocol("a callee's id is no id".to_owned()));
                }
                None => {
                    if self.results.reveal(|arrived| *arrived == id).is_none() {
                        let wait = Await::first([callee]);
                        let tree = self.tree(&wait);
                        return self.wait_for_more(&wait, tree, false);
                    }
                }
            }
        }
        self.cancelling = None;
        Ok(Progress::Cancelled(TerminalFailure::new(409, "Cancelled")))
    }

    /// Nothing that has arrived helps.
    fn wait_for_more(
        &mut self,
        wait: &Await,
        tree: Awaiting,
        may_be_cancelled: bool,
    ) -> Result<Progress, VmError> {
        if self.stage == Stage::Replaying
            && let Some(found) = self.replay.peek()?
        {
            let found = crate::error::show(&found);
            let at = wait.leaves.first().and_then(|handle| self.made_at(*handle));
            return Err(VmError::AwaitInReplay { index: self.command_index, found, at });
        }
        let runs = self.runs_in(wait);
        if let Some(handle) = runs.iter().find(|(_, state)| *state == RunState::Waiting) {
            self.start_run(handle.0);
            return Ok(Progress::Execute(handle.0));
        }
        if runs.iter().any(|(_, state)| *state == RunState::Executing) {
            return Ok(Progress::Executing);
        }
        if !self.is_input_closed {
            return Ok(Progress::NeedInput);
        }
        let mut awaiting = self.without_done(tree);
        if may_be_cancelled && self.options.implicit_cancellation {
            awaiting = Awaiting {
                combinator: Combinator::FirstCompleted,
                leaves: vec![cancel_signal()],
                nested: vec![awaiting],
            };
        }
        self.write(&Suspension { awaiting }.encode(self.version));
        self.stage = Stage::Closed;
        Ok(Progress::Suspended)
    }

    fn runs_in(&self, wait: &Await) -> Vec<(Handle, RunState)> {
        let mut runs: Vec<_> = wait
            .leaves
            .iter()
            .filter_map(|handle| Some((*handle, *self.runs.get(handle)?)))
            .collect();
        wait.nested.iter().for_each(|nested| runs.extend(self.runs_in(nested)));
        runs
    }

    fn tree(&self, wait: &Await) -> Awaiting {
        Awaiting {
            combinator: wait.combinator,
            leaves: wait.leaves.iter().map(|handle| self.id(*handle)).collect(),
            nested: wait.nested.iter().map(|nested| self.tree(nested)).collect(),
        }
    }

    /// What is done need not be waited for.
    fn without_done(&self, tree: Awaiting) -> Awaiting {
        let pending = |id: &NotificationId| self.results.outcome(id) == Outcome::Pending;
        let nested = tree.nested.into_iter().map(|nested| self.without_done(nested));
        Awaiting {
            combinator: tree.combinator,
            leaves: tree.leaves.into_iter().filter(pending).collect(),
            nested: nested.filter(|nested| !nested.is_empty()).collect(),
        }
    }

    /// Tells people what the handler waits for, where the protocol can.
    pub fn tell_awaiting(&mut self, wait: &Await) {
        if self.version.has_await_tree() && self.stage == Stage::Processing {
            let awaiting = self.tree(wait);
            let frame = control::AwaitingOn { awaiting, executing_side_effects: false }.encode();
            self.write(&frame);
        }
    }
}
