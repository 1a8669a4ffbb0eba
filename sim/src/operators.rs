//! Operators: they kill and cancel invocations and register deployments while work is in progress.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use protocol::{DeploymentId, InvocationId, journal::Command, wire};
use runtime_core::{
    Lsn,
    effect::{Control, Registered},
    model::invocation::{Status, StatusKind, WaitingFor},
    tables::Tables,
    time::Timestamp,
};
use runtime_partition::DeploymentOffer;
use runtime_schema::registration;

use crate::{
    clients::Waiting,
    program::{BRIEF_HANDLER, HANDLER, RUN_HANDLER, decode},
    stats::Fault,
    world::World,
};

/// A request an operator makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Kill(InvocationId),
    Cancel(InvocationId),
    Register(DeploymentId),
}

/// The node's answer to an order.
#[derive(Debug)]
enum Heard {
    Control(Control),
    Registered(Registered),
}

/// An operator's request that has not been answered yet.
pub(crate) struct Request {
    order: Order,
    asking: Waiting<Heard>,
}

/// What the operators have done so far.
#[derive(Default)]
pub(crate) struct Operators {
    requests: Vec<Request>,
    /// Programs that an operator asked to end.
    pub(crate) doomed: BTreeSet<u32>,
    /// Deployments whose registration was acknowledged.
    registered: BTreeSet<DeploymentId>,
    next_deployment: u128,
}

/// Further deployments would not exercise anything new.
const DEPLOYMENTS_MAX: u128 = 4;

const LIVE: [StatusKind; 6] = [
    StatusKind::Scheduled,
    StatusKind::Inboxed,
    StatusKind::Running,
    StatusKind::BackingOff,
    StatusKind::Suspended,
    StatusKind::Paused,
];

impl World {
    /// Picks an invocation that has not ended, and kills or cancels it.
    pub(crate) fn end_an_invocation(&mut self, is_kill: bool) -> Result<(), String> {
        let count = self.node()?.count();
        let at = self.random.index(count);
        let kind = LIVE[self.random.index(LIVE.len())];
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
        let partitions = self.node()?.partitions().clone();
        let asking = Box::pin(async move {
            let control =
                if is_kill { partitions.kill(id).await } else { partitions.cancel(id).await };
            control.map(Heard::Control)
        });
        self.operators.requests.push(Request { order, asking });
        Ok(())
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
        self.operators.requests.push(Request { order: Order::Register(id), asking });
        Ok(())
    }

    /// Polls the operators' pending requests; returns whether any was answered.
    pub(crate) fn listen_to_orders(&mut self) -> Result<bool, String> {
        let mut answered = Vec::new();
        self.operators.requests.retain_mut(|request| {
            let mut cx = Context::from_waker(Waker::noop());
            let Poll::Ready(answer) = request.asking.as_mut().poll(&mut cx) else { return true };
            answered.extend(answer.ok().map(|answer| (request.order, answer)));
            false
        });
        let has_heard = !answered.is_empty();
        for (order, answer) in answered {
            self.hear_of(order, &answer)?;
        }
        Ok(has_heard)
    }

    fn hear_of(&mut self, order: Order, answer: &Heard) -> Result<(), String> {
        match (order, answer) {
            (Order::Kill(id), Heard::Control(control)) => {
                self.stats.bite(Fault::Killed, *control == Control::Ended);
                self.is_ended_by_order(id, *control)
            }
            (Order::Cancel(id), Heard::Control(control)) => {
                let bit = matches!(control, Control::Ended | Control::Signalled);
                self.stats.bite(Fault::Cancelled, bit);
                self.is_ended_by_order(id, *control)
            }
            (Order::Register(id), Heard::Registered(Registered::New(new))) if id == *new => {
                self.operators.registered.insert(id);
                Ok(())
            }
            (order, answer) => Err(format!("{order:?} was answered with {answer:?}")),
        }
    }

    /// Checks that an operation ended by an operator did not complete with a result of its own.
    fn is_ended_by_order(&mut self, id: InvocationId, control: Control) -> Result<(), String> {
        let operation = self.operations.iter_mut().find(|operation| operation.id() == id);
        let Some(operation) = operation else { return Ok(()) };
        match control {
            Control::Ended => operation.is_ended = true,
            Control::Signalled | Control::AlreadyCompleted => (),
            Control::NotFound => {
                return Err(format!("operation {} is not found", operation.number));
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
