//! The loop: one thing after the other, chosen by chance, faults among them; then peace, in which
//! everything must come to its end.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use abide_sdk::Endpoint;
use bytes::Bytes;
use protocol::{
    HandlerKind, ProtocolVersion, ServiceKind, Target,
    ids::Derivation,
    journal::{Command, NamedCommand},
    wire,
};
use runtime_core::{
    PartitionId,
    attempt::Registry,
    effect::Answer,
    event::{AfterFailure, AttemptFailure, AttemptRef, Event, Invoke, Record, RequestId, Source},
    tables::invocation::Status,
    time::Stamp,
};
use runtime_partition::{CallAnswer, Partitions, RequestError};

use crate::{
    checks,
    clock::SimClock,
    handlers,
    node::{Media, SimNode, Wish},
    program::{Author, HANDLER, OBJECT, Place, SERVICE, Step, encode},
    random::Random,
    task::{SimRegistry, Task},
};

/// How large a world is and what may go wrong in it; a failing one is made smaller with these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Invocations that clients start.
    pub operations: usize,
    /// Steps before peace.
    pub steps: usize,
    /// Whether the node crashes and its media lose what was not synced.
    pub crashes: bool,
    /// Whether connections break and zombies go on.
    pub cuts: bool,
    /// Whether the clock jumps.
    pub jumps: bool,
    /// A crash for sure: just before, or just after, the commit with this number.
    pub crash_at: Option<(u64, Moment)>,
    /// How many partitions; chosen by the seed when absent.
    pub partitions: Option<usize>,
}

/// On which side of an fsync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// What was to be synced may be lost.
    Before,
    /// What was synced may not be.
    After,
}

/// What a world leaves to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// A checksum of everything that was decided and proposed.
    pub digest: u64,
    /// Commits of the log before peace.
    pub commits: u64,
    /// What each client heard: the length of its answer, or a failure's code.
    pub heard: Vec<Result<usize, u32>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 12,
            steps: 1500,
            crashes: true,
            cuts: true,
            jumps: true,
            crash_at: None,
            partitions: None,
        }
    }
}

/// A part of the design left out, to show that its absence is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Effects leave before their records are on disk.
    EffectsBeforeFsync,
    /// What a stale attempt proposes counts.
    NoFencing,
    /// A message that is handed over again counts again.
    NoDedup,
}

/// What a client asked for and what it heard.
pub struct Operation {
    /// Where its program runs.
    pub place: Place,
    /// Its program.
    pub steps: Vec<Step>,
    number: usize,
    asking: Option<Asking>,
    heard: Option<Heard>,
}

type Heard = Result<Bytes, u32>;
type Asking = std::pin::Pin<Box<dyn Future<Output = Result<Heard, RequestError>>>>;

/// Everything there is.
pub struct World {
    random: Random,
    limits: Limits,
    sabotage: Option<Sabotage>,
    clock: Arc<SimClock>,
    node: Option<SimNode>,
    tasks: Vec<Task>,
    outside: handlers::World,
    endpoint: Endpoint,
    author: Author,
    operations: Vec<Operation>,
    /// A checksum of everything that was decided and proposed.
    digest: u64,
    commits: u64,
    bidirectional: bool,
    version: ProtocolVersion,
}

/// Turns of the loop in peace after which something is stuck.
const PEACE_MAX: usize = 60_000;
/// Attempts that the invoker of a simulation has room for.
const ROOM: usize = 6;

/// Runs the world of a seed to its end.
///
/// # Errors
/// The first thing that was not as it must be.
pub fn run(seed: u64, limits: &Limits, sabotage: Option<Sabotage>) -> Result<Report, String> {
    let mut world = World::new(seed, limits.clone(), sabotage)?;
    world.live()?;
    let commits = world.commits;
    world.rest()?;
    let heard = world.operations.iter().filter_map(|operation| operation.heard.as_ref());
    let heard = heard.map(|heard| heard.as_ref().map(Bytes::len).map_err(|code| *code)).collect();
    world.check()?;
    Ok(Report { digest: world.digest, commits, heard })
}

impl World {
    fn new(seed: u64, limits: Limits, sabotage: Option<Sabotage>) -> Result<Self, String> {
        let mut random = Random::new(seed);
        let clock = Arc::new(SimClock::default());
        let chosen = 1 + random.index(4);
        let partitions = limits.partitions.unwrap_or(chosen);
        let node = SimNode::recover(Media::new(partitions), &clock, sabotage)?;
        let outside = handlers::World::new(Arc::clone(&clock));
        let versions = [ProtocolVersion::V6, ProtocolVersion::V7];
        Ok(Self {
            limits,
            sabotage,
            clock,
            node: Some(node),
            tasks: Vec::new(),
            endpoint: outside.endpoint(),
            outside,
            author: Author::default(),
            operations: Vec::new(),
            digest: 0xcbf2_9ce4_8422_2325,
            commits: 0,
            bidirectional: random.chance(700),
            version: versions[random.index(2)],
            random,
        })
    }

    fn node(&mut self) -> Result<&mut SimNode, String> {
        self.node.as_mut().ok_or_else(|| "there is no node".to_owned())
    }

    /// Chance reigns.
    fn live(&mut self) -> Result<(), String> {
        // Each world has its own temper.
        let crash = if self.limits.crashes { self.random.below(12) } else { 0 };
        let cut = if self.limits.cuts { self.random.below(25) } else { 0 };
        let jump = if self.limits.jumps { self.random.below(10) } else { 0 };
        for _ in 0..self.limits.steps {
            let choice = self.random.below(1000);
            self.note(&choice.to_be_bytes());
            match choice {
                choice if choice < crash => self.crash()?,
                choice if choice < 20 + cut => self.cut()?,
                choice if choice < 60 + jump => {
                    let by_ms = if choice < 50 { 1 } else { self.random.below(2000) };
                    self.clock.advance_ms(by_ms);
                }
                60..110 => self.start_operation(),
                110..180 => {
                    self.listen()?;
                }
                180..400 => self.turn()?,
                400..550 => self.commit()?,
                550..560 => self.node()?.seal(),
                560..600 => {
                    self.node()?.checkpoint();
                }
                600..620 => {
                    let room = self.random.index(ROOM);
                    self.node()?.make_room(room);
                }
                620..640 => self.time_out()?,
                640..760 => {
                    self.grant_wish()?;
                }
                _ => {
                    self.step_task()?;
                }
            }
            if let Some(fault) = self.outside.surroundings().faults.first() {
                return Err(fault.clone());
            }
        }
        Ok(())
    }

    /// No more faults: everything must come to its end, each operation be asked about again, and
    /// the answer be the same.
    fn rest(&mut self) -> Result<(), String> {
        let mut is_asked_again = false;
        for _ in 0..PEACE_MAX {
            let mut is_busy = false;
            while self.operations.len() < self.limits.operations {
                self.start_operation();
            }
            for at in 0..self.node()?.count() {
                self.tamper()?;
                is_busy |= self.node()?.turn(at);
            }
            is_busy |= self.node()?.commit();
            is_busy |= self.node()?.checkpoint();
            while self.grant_wish()? {
                is_busy = true;
            }
            while self.step_task()? {
                is_busy = true;
            }
            self.time_out()?;
            is_busy |= self.listen()?;
            if is_busy {
                continue;
            }
            self.node()?.make_room(ROOM);
            let is_quiet = self.operations.iter().all(|operation| operation.asking.is_none());
            if is_quiet && self.tasks.is_empty() && self.is_all_done()? {
                if is_asked_again {
                    return Ok(());
                }
                is_asked_again = true;
                let partitions = self.node()?.partitions().clone();
                for operation in &mut self.operations {
                    operation.asking = Some(ask(partitions.clone(), operation, true));
                }
                continue;
            }
            self.pass_time()?;
        }
        Err(format!("stuck: {}", self.what_is_stuck()))
    }

    /// Until something is due.
    fn pass_time(&mut self) -> Result<(), String> {
        let now_ms = self.clock.now_ms();
        let count = self.node()?.count();
        let mut next_ms = now_ms + 1000;
        for at in 0..count {
            if let Some(due_ms) = self.node()?.next_wake_up_ms(at) {
                next_ms = next_ms.min(due_ms.max(now_ms + 1));
            }
        }
        self.clock.advance_ms(next_ms - now_ms);
        Ok(())
    }

    fn is_all_done(&mut self) -> Result<bool, String> {
        let node = self.node()?;
        Ok((0..node.count()).all(|at| node.tables(at, checks::is_all_done)))
    }

    fn check(&mut self) -> Result<(), String> {
        if let Some(fault) = self.outside.surroundings().faults.first() {
            return Err(fault.clone());
        }
        let operations = std::mem::take(&mut self.operations);
        let node = self.node()?;
        for at in 0..node.count() {
            node.tables(at, checks::is_consistent)?;
        }
        checks::tags(node, &operations)
    }

    fn what_is_stuck(&mut self) -> String {
        let waiting: Vec<_> = self
            .operations
            .iter()
            .filter(|operation| operation.asking.is_some())
            .map(|operation| operation.number)
            .collect();
        let tasks: Vec<_> = self.tasks.iter().map(|task| task.name).collect();
        let mut rows = Vec::new();
        if let Some(node) = &mut self.node {
            for at in 0..node.count() {
                rows.extend(node.tables(at, checks::unfinished));
            }
        }
        format!("operations {waiting:?}, tasks {tasks:?}, rows {rows:?}")
    }

    /// One fsync; around the chosen one everything stops.
    fn commit(&mut self) -> Result<(), String> {
        let number = self.commits;
        if self.limits.crash_at == Some((number, Moment::Before)) {
            self.commits += 1;
            return self.crash();
        }
        if self.node()?.commit() {
            self.commits += 1;
            if self.limits.crash_at == Some((number, Moment::After)) {
                return self.crash();
            }
        }
        Ok(())
    }

    fn turn(&mut self) -> Result<(), String> {
        self.tamper()?;
        let count = self.node()?.count();
        let at = self.random.index(count);
        self.node()?.turn(at);
        Ok(())
    }

    fn crash(&mut self) -> Result<(), String> {
        self.tasks.clear();
        for operation in &mut self.operations {
            operation.asking = None;
        }
        if let Some(node) = self.node.take() {
            let media = node.crash(&mut self.random);
            self.clock.advance_ms(self.random.below(300));
            self.node = Some(SimNode::recover(media, &self.clock, self.sabotage)?);
        }
        Ok(())
    }

    /// A connection breaks; sometimes the old attempt does not notice and goes on as a zombie.
    fn cut(&mut self) -> Result<(), String> {
        if self.tasks.is_empty() {
            return Ok(());
        }
        let at = self.random.index(self.tasks.len());
        if self.random.chance(500) {
            self.tasks[at].cut(&mut self.random);
            return self.carry_out(at);
        }
        let (partition, attempt) = (self.tasks[at].partition, self.tasks[at].name);
        let failure = AttemptFailure {
            code: 500,
            error_code: None,
            message: "lost".to_owned(),
            stacktrace: String::new(),
            related_command: None,
        };
        let next = AfterFailure::Retry { delay_ms: self.random.below(50), counts: true };
        self.propose(partition, Event::AttemptFailed { attempt, failure, next }, false)
    }

    fn start_operation(&mut self) {
        let Some(node) = &self.node else { return };
        let partitions = node.partitions().clone();
        // Those who were cut off ask again, with the same key.
        let lost = self
            .operations
            .iter_mut()
            .find(|operation| operation.asking.is_none() && operation.heard.is_none());
        if let Some(operation) = lost {
            operation.asking = Some(ask(partitions, operation, self.random.chance(500)));
            return;
        }
        if self.operations.len() >= self.limits.operations {
            return;
        }
        let (place, steps) = self.author.root(&mut self.random);
        let number = self.operations.len();
        let mut operation = Operation { place, steps, number, asking: None, heard: None };
        operation.asking = Some(ask(partitions, &operation, self.random.chance(500)));
        self.operations.push(operation);
    }

    /// Clients hear what there is to hear; true when one did.
    fn listen(&mut self) -> Result<bool, String> {
        let mut has_heard = false;
        for operation in &mut self.operations {
            let Some(asking) = &mut operation.asking else { continue };
            let mut cx = Context::from_waker(Waker::noop());
            let Poll::Ready(heard) = asking.as_mut().poll(&mut cx) else { continue };
            operation.asking = None;
            has_heard = true;
            let Ok(heard) = heard else { continue };
            match &operation.heard {
                Some(before) if *before != heard => {
                    return Err(format!(
                        "operation {} heard {before:?}, then {heard:?}",
                        operation.number
                    ));
                }
                Some(_) | None => operation.heard = Some(heard),
            }
        }
        // An operation that was not heard of has been cut off, and asks again.
        let partitions = self.node()?.partitions().clone();
        for operation in &mut self.operations {
            if operation.asking.is_none() && operation.heard.is_none() {
                operation.asking = Some(ask(partitions.clone(), operation, false));
            }
        }
        Ok(has_heard)
    }

    /// Does what a partition wants; false when none wants anything.
    fn grant_wish(&mut self) -> Result<bool, String> {
        let Some(wish) = self.node()?.wish() else { return Ok(false) };
        let now_ms = self.clock.now_ms();
        match wish {
            Wish::Start(partition, start) => {
                let (version, bidirectional) = (self.version, self.bidirectional);
                let task =
                    Task::new(partition, *start, &self.endpoint, version, bidirectional, now_ms);
                self.tasks.push(task);
                self.carry_out(self.tasks.len() - 1)?;
            }
            Wish::Notify(partition, name, index, entry) => {
                if let Some(at) = self.find(partition, name) {
                    self.tasks[at].notify(now_ms, index, entry);
                    self.carry_out(at)?;
                }
            }
            Wish::Abort(partition, name) => {
                if let Some(at) = self.find(partition, name) {
                    self.tasks.remove(at);
                }
            }
        }
        Ok(true)
    }

    fn find(&self, partition: PartitionId, name: AttemptRef) -> Option<usize> {
        self.tasks.iter().position(|task| task.partition == partition && task.name == name)
    }

    /// Moves some bytes of some attempt; false when none has any.
    fn step_task(&mut self) -> Result<bool, String> {
        let (count, now_ms) = (self.tasks.len(), self.clock.now_ms());
        let first = self.random.index(count.max(1));
        for at in (0..count).map(|offset| (first + offset) % count) {
            let task = &mut self.tasks[at];
            let moved = task.step(now_ms, &mut self.random);
            if moved.map_err(|error| format!("{:?}: {error}", self.tasks[at].name))? {
                self.carry_out(at)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn time_out(&mut self) -> Result<(), String> {
        let now_ms = self.clock.now_ms();
        let mut at = 0;
        while at < self.tasks.len() {
            let before = self.tasks.len();
            self.tasks[at].on_timeout(now_ms, &mut self.random);
            self.carry_out(at)?;
            at += usize::from(self.tasks.len() == before);
        }
        Ok(())
    }

    /// Proposes what an attempt wants to, and forgets it when it has ended.
    fn carry_out(&mut self, at: usize) -> Result<(), String> {
        let mut proposals = Vec::new();
        let partition = self.tasks[at].partition;
        self.tasks[at].carry_out(&mut proposals);
        for event in proposals {
            self.propose(partition, event, true)?;
        }
        if self.tasks[at].has_ended() {
            self.tasks.remove(at);
            let room = ROOM.saturating_sub(self.tasks.len());
            self.node()?.make_room(room);
        }
        Ok(())
    }

    fn propose(
        &mut self,
        partition: PartitionId,
        mut event: Event,
        is_of_task: bool,
    ) -> Result<(), String> {
        if self.sabotage == Some(Sabotage::NoFencing) && is_of_task {
            self.refresh(partition, &mut event)?;
        }
        let lsn = runtime_core::Lsn(0);
        let bytes = Record { lsn, stamp: Stamp(0), event: event.clone() }.encode();
        self.note(&bytes);
        self.node()?.partitions().propose_now(partition, event);
        Ok(())
    }

    /// Makes a stale attempt's words those of the current one.
    fn refresh(&mut self, partition: PartitionId, event: &mut Event) -> Result<(), String> {
        let name = match event {
            Event::CommandProposed { attempt, .. }
            | Event::RunProposed { attempt, .. }
            | Event::AttemptSuspended { attempt, .. }
            | Event::AttemptEnded { attempt }
            | Event::AttemptFailed { attempt, .. }
            | Event::DeploymentPinned { attempt, .. } => attempt,
            Event::Invoked(_)
            | Event::TimerFired { .. }
            | Event::SignalReceived { .. }
            | Event::CancelRequested { .. }
            | Event::KillRequested { .. }
            | Event::MessageReceived { .. }
            | Event::MessagesAcknowledged { .. }
            | Event::RetentionDue { .. }
            | Event::DeploymentRegistered { .. }
            | Event::DeploymentRemoved { .. } => return Ok(()),
        };
        let invocation = name.invocation;
        let at = usize::from(partition.0);
        let row = self.node()?.tables(at, |tables| tables.invocation(invocation));
        if let Some(Status::Running { attempt }) = row.map(|row| row.status) {
            name.attempt = attempt;
        }
        Ok(())
    }

    /// Makes messages that are handed over again look new.
    fn tamper(&mut self) -> Result<(), String> {
        if self.sabotage != Some(Sabotage::NoDedup) {
            return Ok(());
        }
        self.node()?.tamper_peers(|node, at, event| {
            if let Event::MessageReceived { from, sequence, .. } = event {
                let meta = node.tables(at, |tables| tables.meta());
                let last = meta.received.iter().find(|(peer, _)| peer == from);
                let last = last.map_or(0, |(_, last)| *last);
                if *sequence <= last {
                    *sequence = last + 1;
                }
            }
        });
        Ok(())
    }

    fn note(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// A client's question: a call, or a send and then an attach.
fn ask(partitions: Partitions, operation: &Operation, is_call: bool) -> Asking {
    let invoke = invoke(operation);
    Box::pin(async move {
        if is_call {
            let answer = partitions
                .call(|request| {
                    let source = Source::IngressCall { request };
                    Box::new(Invoke { source, ..invoke })
                })
                .await?;
            return match answer {
                CallAnswer::Completed { completion, .. } => {
                    Ok(completion.result.clone().map_err(|failure| failure.code))
                }
                CallAnswer::AlreadyInvoked => Ok(Err(409)),
            };
        }
        let id = invoke.id;
        let to = partitions.owner(id.partition_key);
        let accepted = partitions
            .request(to, |request| {
                let source = Source::IngressSend { request };
                Event::Invoked(Box::new(Invoke { source, ..invoke }))
            })
            .await?;
        if !matches!(accepted, Answer::Accepted { .. }) {
            return Ok(Err(0));
        }
        match partitions.attach(id).await? {
            Some(completion) => Ok(completion.result.clone().map_err(|failure| failure.code)),
            // Accepted and then not there: nothing an acknowledged request may ever be.
            None => Ok(Err(404)),
        }
    })
}

fn invoke(operation: &Operation) -> Invoke {
    let (service, key, kinds) = match &operation.place {
        Place::Service => (SERVICE, "", (ServiceKind::Service, HandlerKind::Service)),
        Place::Object(key) => {
            (OBJECT, key.as_str(), (ServiceKind::VirtualObject, HandlerKind::Exclusive))
        }
    };
    let idempotency_key = format!("op-{}", operation.number);
    let id = Derivation::Plain.idempotency_key(None, service, key, HANDLER, &idempotency_key);
    let retention = SimRegistry.resolve(service, HANDLER).map(|facts| facts.retention(true));
    let input = Command::Input { headers: Vec::new(), value: encode(&operation.steps) };
    Invoke {
        id,
        target: Target::new(service, key, HANDLER),
        service_kind: kinds.0,
        handler_kind: kinds.1,
        source: Source::IngressCall { request: RequestId(0) },
        input: wire::command::encode(&NamedCommand::from(input), ProtocolVersion::MAX),
        start_at: None,
        idempotency_key: Some(idempotency_key),
        scope: None,
        limit_key: None,
        retention: retention.unwrap_or_default(),
        random_seed: operation.number as u64,
    }
}
