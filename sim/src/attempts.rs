//! Attempts: starting them, notifying them, aborting them, moving their bytes, and proposing their
//! events.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{DeploymentId, InvocationId, journal::Entry, wire::frame::Frame};
use runtime_core::{
    Lsn, PartitionId,
    attempt::{NodeOptions, place},
    effect::StartAttempt,
    event::{Event, Record},
    model::{
        ids::AttemptRef,
        invocation::{AfterFailure, AttemptFailure, Pin},
    },
    time::Stamp,
};
use runtime_embedded::EdgeRequest;

use crate::{
    limits::Sabotage,
    sabotage,
    stats::Fault,
    task::{Task, Time},
    world::World,
};

/// The deployments on which invocations have been seen to run.
#[derive(Default)]
pub(crate) struct Pins {
    seen: BTreeMap<(PartitionId, Lsn, InvocationId), Pin>,
    /// Where operators have asked invocations to go on.
    moves: BTreeSet<(InvocationId, DeploymentId)>,
}

impl Pins {
    /// Checks that an invocation stays on the deployment where its first command was stored.
    fn check(&mut self, partition: PartitionId, start: &StartAttempt) -> Result<(), String> {
        let mut commands = start.journal.iter().filter(|entry| entry.ty.is_command());
        if commands.nth(1).is_none() {
            return Ok(()); // Only its input so far.
        }
        let name = (partition, start.attempt.invocation, start.id);
        let Some(pin) = start.pin else {
            return Err(format!("{name:?} has commands, but no deployment"));
        };
        let known = self.seen.entry(name).or_insert(pin);
        if known.protocol == pin.protocol && self.moves.contains(&(start.id, pin.deployment)) {
            *known = pin;
        }
        let known = *known;
        if known == pin { Ok(()) } else { Err(format!("{name:?} moved from {known:?} to {pin:?}")) }
    }

    /// An operator asks an invocation to go on elsewhere.
    pub(crate) fn may_move(&mut self, id: InvocationId, onto: DeploymentId) {
        self.moves.insert((id, onto));
    }
}

impl World {
    /// Performs one request of a partition; returns false if there is none.
    pub(crate) fn serve_edge(&mut self) -> Result<bool, String> {
        let Some(request) = self.node()?.edge_request() else { return Ok(false) };
        let now_ms = self.clock.elapsed_ms();
        match request {
            EdgeRequest::Start(partition, start) => self.start(partition, *start)?,
            EdgeRequest::Notify(partition, name, index, entry) => {
                if let Some(at) = self.find(partition, name) {
                    if self.sabotage == Some(Sabotage::AnsweredTwice) {
                        self.tasks[at].show_again(&frame(&entry));
                    }
                    self.tasks[at].notify(now_ms, index, entry);
                    self.carry_out(at)?;
                }
            }
            EdgeRequest::Suspend(partition, name) => {
                if let Some(at) = self.find(partition, name) {
                    self.tasks[at].suspend();
                    self.carry_out(at)?;
                }
            }
            EdgeRequest::Abort(partition, name) => {
                if let Some(at) = self.find(partition, name) {
                    self.tasks.remove(at);
                    self.node()?.give_place_back();
                }
            }
        }
        Ok(true)
    }

    fn start(&mut self, partition: PartitionId, start: StartAttempt) -> Result<(), String> {
        self.pins.check(partition, &start)?;
        self.operators.check_start(&start)?;
        let registry = self.registry.snapshot();
        let node = NodeOptions { message_bytes_max: 2 << 20, ..NodeOptions::default() };
        let placement = match place(&registry, &start, &node) {
            Ok(placement) => placement,
            Err(unplaced) => {
                return self.miss_deployment(partition, &start, unplaced.fault.to_string());
            }
        };
        let mut options = placement.options;
        options.bidirectional = self.bidirectional;
        options.handler.lazy_state = start.random_seed.is_multiple_of(3);
        let pin = options.pin;
        let latest = registry.latest_deployment(&start.target.service);
        let is_older = latest.is_some_and(|latest| latest.deployment.id != pin.deployment);
        self.stats.bite(Fault::Registered, start.pin.is_some() && is_older);
        let is_sent = self.backing.start(partition, &start, &mut self.stats);
        let again = match self.sabotage {
            Some(Sabotage::ShownAgain) => sabotage::last_notification(&start.journal),
            Some(_) | None => None,
        };
        let now_ms = self.clock.elapsed_ms();
        let mut task = Task::new(partition, start, options, &self.endpoint, registry, now_ms);
        if let Some(frame) = again {
            task.show_last(&frame);
        }
        if !is_sent {
            task.miss(&mut self.random);
        }
        self.tasks.push(task);
        self.carry_out(self.tasks.len() - 1)
    }

    /// An attempt fails since the deployment of its invocation is no longer registered.
    fn miss_deployment(
        &mut self,
        partition: PartitionId,
        start: &StartAttempt,
        message: String,
    ) -> Result<(), String> {
        let registry = self.registry.snapshot();
        let is_gone = start.pin.is_some_and(|pin| registry.deployment(pin.deployment).is_none());
        if !is_gone {
            return Err(message);
        }
        self.node()?.give_place_back();
        let failure = AttemptFailure {
            code: 500,
            error_code: None,
            message,
            stacktrace: String::new(),
            related_command: None,
        };
        let next = AfterFailure::Retry { delay_ms: self.random.below(50), counts: true };
        let attempt = start.attempt;
        let event = Event::AttemptFailedOn { attempt, deployment: None, failure, next };
        self.propose(partition, event, false)
    }

    fn find(&self, partition: PartitionId, name: AttemptRef) -> Option<usize> {
        self.tasks.iter().position(|task| task.partition == partition && task.name == name)
    }

    /// Moves some bytes of one attempt; returns false if no attempt has any.
    pub(crate) fn step_task(&mut self) -> Result<bool, String> {
        let (count, time) = (self.tasks.len(), self.time());
        let first = self.random.index(count.max(1));
        for at in (0..count).map(|offset| (first + offset) % count) {
            let task = &mut self.tasks[at];
            if task.step(time, &mut self.random) {
                self.carry_out(at)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Delivers everything that SDKs have sent so far.
    pub(crate) fn deliver_all(&mut self) -> Result<(), String> {
        let time = self.time();
        let mut at = 0;
        while let Some(task) = self.tasks.get_mut(at) {
            let name = task.name;
            if task.hear(time, &mut self.random) {
                self.carry_out(at)?;
            }
            let is_same = self.tasks.get(at).is_some_and(|task| task.name == name);
            at += usize::from(is_same && !self.tasks[at].has_words());
        }
        Ok(())
    }

    fn time(&self) -> Time {
        Time { now_ms: self.clock.elapsed_ms(), wall_ms: self.clock.wall_ms() }
    }

    pub(crate) fn time_out(&mut self) -> Result<(), String> {
        let now_ms = self.clock.elapsed_ms();
        let mut at = 0;
        while at < self.tasks.len() {
            let before = self.tasks.len();
            self.tasks[at].on_timeout(now_ms, &mut self.random);
            self.carry_out(at)?;
            at += usize::from(self.tasks.len() == before);
        }
        Ok(())
    }

    /// Proposes an attempt's events, and drops it once it has ended.
    pub(crate) fn carry_out(&mut self, at: usize) -> Result<(), String> {
        let mut proposals = Vec::new();
        let (partition, is_zombie) = (self.tasks[at].partition, self.tasks[at].is_zombie);
        let carried_out = self.tasks[at].carry_out(&mut proposals);
        carried_out.map_err(|error| format!("{:?}: {error}", self.tasks[at].name))?;
        self.stats.bite(Fault::Zombie, is_zombie && !proposals.is_empty());
        for event in proposals {
            self.propose(partition, event, true)?;
        }
        if self.tasks[at].has_ended() {
            self.tasks.remove(at);
            self.node()?.give_place_back();
        }
        Ok(())
    }

    pub(crate) fn propose(
        &mut self,
        partition: PartitionId,
        mut event: Event,
        is_of_task: bool,
    ) -> Result<(), String> {
        if self.sabotage == Some(Sabotage::NoFencing) && is_of_task {
            sabotage::refresh(self.node()?, usize::from(partition.0), &mut event);
        }
        let bytes = Record::new(Lsn(0), Stamp(0), event.clone()).encode();
        self.note(&bytes);
        self.node()?.partitions().propose_now(partition, event);
        Ok(())
    }
}

fn frame(entry: &Entry) -> Frame {
    Frame { ty: entry.ty, flags: 0, body: entry.body.clone() }
}
