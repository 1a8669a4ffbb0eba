//! Operators: they kill, cancel, pause and resume invocations while work is in progress.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    DeploymentId, InvocationId,
    journal::{
        Command, NotificationId,
        notification::{CANCEL_SIGNAL, SignalId},
    },
    wire::{self, MessageType},
};
use runtime_core::{
    Lsn,
    effect::StartAttempt,
    model::{
        invocation::{Status, StatusKind, WaitingFor},
        operation::{Operation, Outcome},
        operator::Operator,
    },
    tables::Tables,
    time::Timestamp,
};

use crate::{
    clients::{Waiting, answered},
    program::{BRIEF_HANDLER, HANDLER, RUN_HANDLER, decode},
    stats::Fault,
    world::World,
};

/// A request an operator makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Kill(InvocationId),
    Cancel(InvocationId),
    /// Its number tells whether anything else was asked of the invocation since.
    Pause(InvocationId, u64),
    Resume(InvocationId),
}

/// What the operators have done so far.
#[derive(Default)]
pub(crate) struct Operators {
    /// The orders that have not been answered yet.
    requests: Vec<(Order, Waiting<Outcome>)>,
    /// Programs that an operator asked to end.
    pub(crate) doomed: BTreeSet<u32>,
    /// What the operators are called in the audit.
    number: u64,
    /// The latest order that may let an invocation run again.
    roused: BTreeMap<InvocationId, u64>,
    /// Invocations whose pause was acknowledged, and that nobody has roused since.
    paused: BTreeSet<InvocationId>,
}

impl Operators {
    /// An order that may let an invocation run again is on its way.
    fn rouse(&mut self, id: InvocationId) {
        self.number += 1;
        self.roused.insert(id, self.number);
        self.paused.remove(&id);
    }

    /// Checks that an attempt is not one of an invocation that is known to be paused. Other
    /// programs may cancel it, which its journal shows.
    pub(crate) fn check_start(&self, start: &StartAttempt) -> Result<(), String> {
        let is_cancelled = start.journal.iter().any(|entry| {
            entry.ty == MessageType::SIGNAL_NOTIFICATION
                && wire::notification::decode(entry).is_ok_and(|notification| {
                    notification.id == NotificationId::Signal(SignalId::Index(CANCEL_SIGNAL))
                })
        });
        if self.paused.contains(&start.id) && !is_cancelled {
            return Err(format!("{} is paused, and {:?} is started", start.id, start.attempt));
        }
        Ok(())
    }
}

fn operator() -> Operator {
    Operator { name: "operator".to_owned(), reason: None }
}

const STARTED: [StatusKind; 3] =
    [StatusKind::Running, StatusKind::BackingOff, StatusKind::Suspended];

impl World {
    /// Picks an invocation that has not ended, and kills or cancels it.
    pub(crate) fn end_an_invocation(&mut self, is_kill: bool) -> Result<(), String> {
        let count = self.node()?.count();
        let at = self.random.index(count);
        let kind = StatusKind::UNFINISHED[self.random.index(StatusKind::UNFINISHED.len())];
        let victims = self.node()?.tables(at, |tables| victims(tables, kind));
        if victims.is_empty() {
            return Ok(());
        }
        let (id, program) = victims[self.random.index(victims.len())];
        self.operators.doomed.insert(program);
        let (order, fault) = if is_kill {
            (Order::Kill(id), Fault::Killed)
        } else {
            (Order::Cancel(id), Fault::Cancelled)
        };
        self.stats.inject(fault);
        let backs_off = self.node()?.tables(at, |tables| backs_off(tables, id));
        if let Some((lsn, until)) = backs_off
            && !is_kill
        {
            let partition = self.node()?.partitions().owner(id.partition_key);
            self.backing.cancel((partition, lsn), until, &mut self.stats);
        }
        self.operators.rouse(id);
        let operation = if is_kill { Operation::Kill } else { Operation::Cancel };
        self.order(order, id, operation)
    }

    fn order(
        &mut self,
        order: Order,
        id: InvocationId,
        operation: Operation,
    ) -> Result<(), String> {
        let partitions = self.node()?.partitions().clone();
        let asking = Box::pin(async move { partitions.operate(operator(), id, operation).await });
        self.operators.requests.push((order, asking));
        Ok(())
    }

    /// Picks an invocation in one of these statuses, if there is any in some partition.
    fn pick(&mut self, kinds: &[StatusKind]) -> Result<Option<InvocationId>, String> {
        let at = self.any_partition()?;
        let kind = kinds[self.random.index(kinds.len())];
        let found = self.node()?.tables(at, |tables| ids(tables, kind));
        Ok((!found.is_empty()).then(|| found[self.random.index(found.len())]))
    }

    /// Picks an invocation that has started, and pauses it.
    pub(crate) fn pause_an_invocation(&mut self) -> Result<(), String> {
        let Some(id) = self.pick(&STARTED)? else { return Ok(()) };
        self.stats.inject(Fault::Paused);
        self.operators.number += 1;
        let order = Order::Pause(id, self.operators.number);
        self.order(order, id, Operation::Pause)
    }

    /// Picks an invocation that has not ended, and resumes it.
    pub(crate) fn resume_an_invocation(&mut self) -> Result<(), String> {
        self.pick(&StatusKind::UNFINISHED)?.map_or(Ok(()), |id| self.resume(id))
    }

    /// Resumes whatever is paused; returns whether anything is.
    pub(crate) fn resume_all(&mut self) -> Result<bool, String> {
        let mut has_resumed = false;
        for at in 0..self.node()?.count() {
            for id in self.node()?.tables(at, |tables| ids(tables, StatusKind::Paused)) {
                has_resumed = true;
                self.resume(id)?;
            }
        }
        Ok(has_resumed)
    }

    /// Resumes an invocation: where it was, or elsewhere if that is no longer registered.
    fn resume(&mut self, id: InvocationId) -> Result<(), String> {
        self.stats.inject(Fault::Resumed);
        self.operators.rouse(id);
        let onto = self.refuge(id)?;
        if let Some(onto) = onto {
            self.pins.may_move(id, onto);
        }
        self.order(Order::Resume(id), id, Operation::Resume { onto })
    }

    /// Moves invocations whose deployment is no longer registered to another one, if they would only
    /// fail again; returns whether there are any.
    pub(crate) fn move_stranded(&mut self) -> Result<bool, String> {
        let mut has_moved = false;
        for at in 0..self.node()?.count() {
            for id in self.node()?.tables(at, |tables| ids(tables, StatusKind::BackingOff)) {
                if self.refuge(id)?.is_some() {
                    has_moved = true;
                    self.resume(id)?;
                }
            }
        }
        Ok(has_moved)
    }

    /// Where an invocation can go on if the deployment that it is pinned to is no longer registered.
    fn refuge(&mut self, id: InvocationId) -> Result<Option<DeploymentId>, String> {
        let node = self.node()?;
        let at = usize::from(node.partitions().owner(id.partition_key).0);
        let pin = node.tables(at, |tables| tables.invocation(tables.invocation_lsn(id)?)?.pin);
        let registry = self.registry.snapshot();
        let Some(pin) = pin.filter(|pin| registry.deployment(pin.deployment).is_none()) else {
            return Ok(None);
        };
        let refuge = registry.deployments().find(|stored| {
            let (min, max) = stored.deployment.protocol_range;
            (min..=max).contains(&pin.protocol.number())
        });
        let refuge = refuge.ok_or_else(|| format!("{id} can go on nowhere: {pin:?}"))?;
        Ok(Some(refuge.deployment.id))
    }

    /// Polls the operators' pending requests; returns whether any was answered.
    pub(crate) fn listen_to_orders(&mut self) -> Result<bool, String> {
        let answered = answered(&mut self.operators.requests);
        let answered =
            answered.into_iter().filter_map(|(order, answer)| Some((order, answer.ok()?)));
        let mut has_heard = false;
        for (order, answer) in answered {
            has_heard = true;
            self.hear_of(order, answer)?;
        }
        Ok(has_heard)
    }

    fn hear_of(&mut self, order: Order, outcome: Outcome) -> Result<(), String> {
        match order {
            Order::Kill(id) => {
                self.stats.bite(Fault::Killed, outcome == Outcome::Done);
                self.is_ended_by_order(id, outcome)
            }
            Order::Cancel(id) => {
                let bit = matches!(outcome, Outcome::Done | Outcome::Requested);
                self.stats.bite(Fault::Cancelled, bit);
                self.is_ended_by_order(id, outcome)
            }
            Order::Pause(id, number) => {
                let operators = &mut self.operators;
                let is_roused = operators.roused.get(&id).is_some_and(|roused| *roused > number)
                    || operators.requests.iter().any(|(other, _)| other.rouses(id));
                if outcome == Outcome::Done && !is_roused {
                    operators.paused.insert(id);
                }
                let bit = matches!(outcome, Outcome::Done | Outcome::Requested);
                self.stats.bite(Fault::Paused, bit);
                Ok(())
            }
            Order::Resume(_) => {
                self.stats.bite(Fault::Resumed, outcome == Outcome::Done);
                Ok(())
            }
        }
    }

    /// Checks that an operation ended by an operator did not complete with a result of its own.
    fn is_ended_by_order(&mut self, id: InvocationId, outcome: Outcome) -> Result<(), String> {
        let operation = self.operations.iter_mut().find(|operation| operation.id() == id);
        let Some(operation) = operation else { return Ok(()) };
        match outcome {
            Outcome::Done => operation.is_ended = true,
            Outcome::Requested | Outcome::Refused(StatusKind::Completed) => (),
            Outcome::NotFound
            | Outcome::Refused(_)
            | Outcome::NotPinned
            | Outcome::Restarted(_)
            | Outcome::NotRestartable(_) => {
                return Err(format!("operation {}: {outcome:?}", operation.number));
            }
        }
        match &operation.heard {
            Some(heard) if operation.is_ended && *heard != Err(409) => {
                Err(format!("operation {} was ended after {heard:?}", operation.number))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Drops the operators' connections to the node.
    pub(crate) fn cut_operators_off(&mut self) {
        self.operators.requests.clear();
    }
}

impl Order {
    /// Whether it may let the invocation run again.
    fn rouses(self, id: InvocationId) -> bool {
        match self {
            Self::Kill(of) | Self::Cancel(of) | Self::Resume(of) => of == id,
            Self::Pause(..) => false,
        }
    }
}

/// Some invocations in a status.
fn ids(tables: &Tables<'_>, kind: StatusKind) -> Vec<InvocationId> {
    let lsns = tables.by_status(kind, Lsn(0), 8).into_iter();
    lsns.filter_map(|lsn| Some(tables.invocation(lsn)?.id)).collect()
}

/// Returns invocations that may be ended: those that run numbered programs, not helpers, whose
/// callers depend on them to make progress.
fn victims(tables: &Tables<'_>, kind: StatusKind) -> Vec<(InvocationId, u32)> {
    let victim = |lsn: Lsn| {
        let row = tables.invocation(lsn)?;
        let is_program = [HANDLER, RUN_HANDLER].contains(&&*row.target.handler);
        if !is_program || row.target.handler == BRIEF_HANDLER {
            return None;
        }
        let input = tables.journal_entry(lsn, 0)?.entry;
        let Ok(Command::Input { value, .. }) =
            wire::command::decode(&input).map(|named| named.command)
        else {
            return None;
        };
        let program = decode(&value).number;
        (program > 0).then_some((row.id, program))
    };
    tables.by_status(kind, Lsn(0), 8).into_iter().filter_map(victim).collect()
}

/// Returns the row and the time of the next retry if the invocation is backing off.
fn backs_off(tables: &Tables<'_>, id: InvocationId) -> Option<(Lsn, Timestamp)> {
    let lsn = tables.invocation_lsn(id)?;
    match tables.invocation(lsn)?.status {
        Status::Waiting(WaitingFor::Retry { at }) => Some((lsn, at)),
        Status::Waiting(_) | Status::Running { .. } | Status::Paused | Status::Completed { .. } => {
            None
        }
    }
}
