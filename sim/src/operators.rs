//! Operators: they kill, cancel, pause and resume invocations and register deployments while work is
//! in progress.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
    effect::{Registered, StartAttempt},
    model::{
        invocation::{Status, StatusKind, WaitingFor},
        operation::{Operation, Outcome},
        operator::Operator,
    },
    tables::Tables,
    time::Timestamp,
};
use runtime_partition::DeploymentOffer;
use runtime_schema::registration;

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
    Register(DeploymentId),
}

/// The node's answer to an order.
#[derive(Debug)]
enum Heard {
    Operated(Outcome),
    Registered(Registered),
}

/// What the operators have done so far.
#[derive(Default)]
pub(crate) struct Operators {
    /// The orders that have not been answered yet.
    requests: Vec<(Order, Waiting<Heard>)>,
    /// Programs that an operator asked to end.
    pub(crate) doomed: BTreeSet<u32>,
    /// Deployments whose registration was acknowledged.
    registered: BTreeSet<DeploymentId>,
    next_deployment: u128,
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

/// Further deployments would not exercise anything new.
const DEPLOYMENTS_MAX: u128 = 4;

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
        let asking = Box::pin(async move {
            partitions.operate(operator(), id, operation).await.map(Heard::Operated)
        });
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

    fn resume(&mut self, id: InvocationId) -> Result<(), String> {
        self.stats.inject(Fault::Resumed);
        self.operators.rouse(id);
        self.order(Order::Resume(id), id, Operation::Resume { onto: None })
    }

    /// Registers the same services again, on an endpoint with another protocol version.
    pub(crate) fn register(&mut self) -> Result<(), String> {
        if self.operators.next_deployment >= DEPLOYMENTS_MAX {
            return Ok(());
        }
        self.operators.next_deployment += 1;
        let number = self.operators.next_deployment;
        let id = DeploymentId(number);
        let target = registration::Endpoint {
            id,
            uri: format!("sim://endpoint-{number}"),
            http1: false,
            headers: Vec::new(),
            metadata: Vec::new(),
            sdk: None,
        };
        let mut manifest = self.endpoint.manifest();
        manifest.max_protocol_version = 5 + u32::try_from(self.random.below(3)).unwrap_or(0);
        let plan = registration::plan(&self.registry.snapshot(), target, &manifest, false);
        let deployment = Arc::new(plan.map_err(|error| error.to_string())?.deployment);
        let partitions = self.node()?.partitions().clone();
        let asking = Box::pin(async move {
            let offer = DeploymentOffer { deployment, replace: false, allow_breaking: false };
            partitions.register(offer).await.map(Heard::Registered)
        });
        self.stats.inject(Fault::Registered);
        self.operators.requests.push((Order::Register(id), asking));
        Ok(())
    }

    /// Polls the operators' pending requests; returns whether any was answered.
    pub(crate) fn listen_to_orders(&mut self) -> Result<bool, String> {
        let answered = answered(&mut self.operators.requests);
        let answered =
            answered.into_iter().filter_map(|(order, answer)| Some((order, answer.ok()?)));
        let mut has_heard = false;
        for (order, answer) in answered {
            has_heard = true;
            self.hear_of(order, &answer)?;
        }
        Ok(has_heard)
    }

    fn hear_of(&mut self, order: Order, answer: &Heard) -> Result<(), String> {
        match (order, answer) {
            (Order::Kill(id), Heard::Operated(outcome)) => {
                self.stats.bite(Fault::Killed, *outcome == Outcome::Done);
                self.is_ended_by_order(id, *outcome)
            }
            (Order::Cancel(id), Heard::Operated(outcome)) => {
                let bit = matches!(outcome, Outcome::Done | Outcome::Requested);
                self.stats.bite(Fault::Cancelled, bit);
                self.is_ended_by_order(id, *outcome)
            }
            (Order::Pause(id, number), Heard::Operated(outcome)) => {
                let operators = &mut self.operators;
                let is_roused = operators.roused.get(&id).is_some_and(|roused| *roused > number)
                    || operators.requests.iter().any(|(other, _)| other.rouses(id));
                if *outcome == Outcome::Done && !is_roused {
                    operators.paused.insert(id);
                }
                let bit = matches!(outcome, Outcome::Done | Outcome::Requested);
                self.stats.bite(Fault::Paused, bit);
                Ok(())
            }
            (Order::Resume(_), Heard::Operated(outcome)) => {
                self.stats.bite(Fault::Resumed, *outcome == Outcome::Done);
                Ok(())
            }
            (Order::Register(id), Heard::Registered(Registered::New(new))) if id == *new => {
                self.operators.registered.insert(id);
                Ok(())
            }
            (order, answer) => Err(format!("{order:?} was answered with {answer:?}")),
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

    pub(crate) fn are_orders_open(&self) -> bool {
        !self.operators.requests.is_empty()
    }

    /// Checks that every deployment whose registration was acknowledged is stored.
    pub(crate) fn check_registry(&mut self) -> Result<(), String> {
        let stored = self.node()?.tables(0, |tables| tables.deployments());
        let stored: BTreeSet<_> = stored.iter().map(|stored| stored.deployment.id).collect();
        match self.operators.registered.difference(&stored).next() {
            Some(lost) => Err(format!("deployment {lost:?} was acknowledged and is gone")),
            None => Ok(()),
        }
    }
}

impl Order {
    /// Whether it may let the invocation run again.
    fn rouses(self, id: InvocationId) -> bool {
        match self {
            Self::Kill(of) | Self::Cancel(of) | Self::Resume(of) => of == id,
            Self::Pause(..) | Self::Register(_) => false,
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
