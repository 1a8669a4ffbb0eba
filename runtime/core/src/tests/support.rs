//! A partition in memory, and short names for events.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::{
    DeploymentId, HandlerKind, InvocationId, PartitionKey, ProtocolVersion, ServiceKind, Target,
    ids::Derivation,
    journal::{Awaiting, Command, NamedCommand, NotificationId, notification::SignalId},
    wire,
};

use crate::{
    effect::{Answer, Effect},
    event::{Event, ProposedCommand, Record, Rules},
    model::{
        deployment::{Deployment, HandlerDefinition, ServiceDefinition, ServiceOptions},
        ids::{AttemptRef, Lsn, Partition, PartitionId, RequestId},
        invocation::{AfterFailure, AttemptFailure, Callee, Invoke, Retention, Source},
        operator::Operator,
    },
    tables::{Key, KeyRange, LayerSlots, Overlay, Row, Snapshot, Tables, slots::InMemory},
    time::{Stamp, Timestamp},
};

/// A base snapshot in a plain map.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Memory(pub(super) BTreeMap<Key, Row>);

impl Snapshot for Memory {
    fn get(&self, key: &[u8]) -> Option<Row> {
        self.0.get(key).cloned()
    }

    fn seek(&self, prefix: &[u8], from: &[u8]) -> Option<(Key, Row)> {
        let (key, row) = self.0.range(Key::from_slice(from)..).next()?;
        key.starts_with(prefix).then(|| (key.clone(), row.clone()))
    }

    fn add_slots<'a>(&'a self, keys: KeyRange<'_>, layers: &mut LayerSlots<'a>) {
        let rows = self.0.range::<[u8], _>(keys.bounds()).map(|(key, row)| (key, Some(row)));
        layers.push(Box::new(InMemory::new(rows, keys.order)));
    }

    fn applied(&self) -> Lsn {
        match self.0.first_key_value() {
            Some((_, Row::Meta(meta))) => meta.applied,
            Some(_) | None => Lsn(0),
        }
    }
}

/// One partition: applies events one by one and collects the effects.
pub(super) struct Fixture {
    pub(super) partition: Partition,
    pub(super) live: Overlay,
    pub(super) base: Memory,
    pub(super) applied: u64,
    pub(super) now_ms: u64,
    pub(super) effects: Vec<Effect>,
    /// The rules of its records.
    pub(super) rules: Rules,
}

impl Fixture {
    pub(super) fn new(id: u16, count: u16) -> Self {
        Self {
            partition: Partition { id: PartitionId(id), count, derivation: Derivation::Plain },
            live: Overlay::default(),
            base: Memory::default(),
            applied: 0,
            now_ms: 1000,
            effects: Vec::new(),
            rules: Rules::CURRENT,
        }
    }

    pub(super) fn single() -> Self {
        Self::new(0, 1)
    }

    /// Applies an event one millisecond after the last one; returns its LSN.
    pub(super) fn apply(&mut self, event: Event) -> Lsn {
        self.applied += 1;
        self.now_ms += 1;
        let stamp = Stamp(self.now_ms * 1000);
        let record = Record { lsn: Lsn(self.applied), stamp, rules: self.rules, event };
        // Everything that is applied must survive a round trip through the log.
        let decoded = Record::decode(record.lsn, &record.encode()).unwrap();
        assert_eq!(decoded, record);
        let mut tables = Tables::new(&mut self.live, &self.base);
        self.partition.apply(&mut tables, &record, &mut self.effects);
        record.lsn
    }

    pub(super) fn tables(&mut self) -> Tables<'_> {
        Tables::new(&mut self.live, &self.base)
    }

    /// The effects since the last call, one per line.
    pub(super) fn effects(&mut self) -> String {
        let effects = std::mem::take(&mut self.effects);
        effects.iter().map(render).collect::<Vec<_>>().join("\n")
    }

    /// Moves the overlay into the base, as a checkpoint does; every row is encoded and decoded
    /// again.
    pub(super) fn checkpoint(&mut self) {
        for (key, row) in std::mem::take(&mut self.live).iter() {
            match row {
                Some(row) => {
                    let row = Row::decode(&row.encode(Vec::new())).unwrap();
                    self.base.0.insert(key.clone(), row);
                }
                None => {
                    self.base.0.remove(key);
                }
            }
        }
    }
}

/// Renders an effect, leaving out what no test looks at.
fn render(effect: &Effect) -> String {
    let attempt = |name: &AttemptRef| format!("{}@{}", name.invocation.0, name.attempt.0);
    match effect {
        Effect::StartAttempt(start) => format!(
            "start {} {} entries={} state={:?} retries={}",
            attempt(&start.attempt),
            start.target,
            start.journal.len(),
            start.state.iter().map(|(key, _)| key).collect::<Vec<_>>(),
            start.retry_count,
        ),
        Effect::ResultDue { of } => format!("result due {}", of.0),
        Effect::OfferAttempt { attempt: name } => format!("offer {}", attempt(name)),
        Effect::SendNotification { attempt: name, index, entry } => {
            let notification = wire::notification::decode(entry).unwrap();
            let id = match notification.id {
                NotificationId::Completion(id) => format!("c{id}"),
                NotificationId::Signal(SignalId::Index(index)) => format!("s{index}"),
                NotificationId::Signal(SignalId::Name(name)) => name,
            };
            format!("notify {} [{index}] {:?} {id}", attempt(name), notification.kind)
        }
        Effect::AbortAttempt { attempt: name } => format!("abort {}", attempt(name)),
        Effect::SuspendAttempt { attempt: name } => format!("suspend {}", attempt(name)),
        Effect::ArmTimer { at } => format!("timer {}", at.0),
        Effect::ArmExpiry { at } => format!("expiry {}", at.0),
        Effect::Answer { request, answer } => {
            let answer = match answer {
                Answer::Accepted { duplicate, .. } => format!("accepted duplicate={duplicate}"),
                Answer::Completed { completion, .. } => format!("stored {:?}", completion.result),
                Answer::AlreadyInvoked { .. } => "already invoked".to_owned(),
                Answer::Operated(outcome) => format!("{outcome:?}"),
                Answer::StateEdited { outcome, .. } => format!("{outcome:?}"),
                Answer::Signalled(answer) => format!("{answer:?}"),
                Answer::Registered(answer) => format!("{answer:?}"),
                Answer::Updated(answer) => format!("{answer:?}"),
                Answer::Configured(answer) => format!("{answer:?}"),
                Answer::Removed { existed } => format!("removed {existed}"),
                Answer::Produced { is_new } => format!("produced new={is_new}"),
            };
            format!("answer {} {answer}", request.0)
        }
        Effect::Completed { completion, .. } => match &completion.result {
            Ok(value) => format!("completed {value:?}"),
            Err(failure) => format!("failed {} {}", failure.code, failure.message),
        },
        Effect::Send { to, sequence, .. } => format!("send {} #{sequence}", to.0),
        Effect::Acknowledge { to, sequence } => format!("ack {} #{sequence}", to.0),
        Effect::PublishRegistry => "registry".to_owned(),
    }
}

pub(super) fn id(n: u128) -> InvocationId {
    InvocationId { partition_key: PartitionKey(0), uuid: n }
}

/// A call to a plain handler by a client that waits.
pub(super) fn call(n: u128) -> Invoke {
    let input = NamedCommand::from(Command::Input { headers: Vec::new(), value: Bytes::new() });
    Invoke {
        id: id(n),
        target: Target::new("Greeter", "", "greet"),
        service_kind: ServiceKind::Service,
        handler_kind: HandlerKind::Service,
        source: Source::IngressCall { request: RequestId(u64::try_from(n).unwrap()) },
        input: wire::command::encode(&input, ProtocolVersion::V6),
        start_at: None,
        idempotency_key: None,
        scope: None,
        limit_key: None,
        retention: Retention { completion_ms: 60_000, journal_ms: 60_000 },
        random_seed: 7,
    }
}

/// Like [`call`], for an exclusive handler of a virtual object.
pub(super) fn call_object(n: u128, key: &str) -> Invoke {
    Invoke {
        target: Target::new("Counter", key, "add"),
        service_kind: ServiceKind::VirtualObject,
        handler_kind: HandlerKind::Exclusive,
        ..call(n)
    }
}

/// Like [`call`], for the run of a workflow.
pub(super) fn call_workflow(n: u128, key: &str) -> Invoke {
    Invoke {
        target: Target::new("Order", key, "run"),
        service_kind: ServiceKind::Workflow,
        handler_kind: HandlerKind::Workflow,
        ..call(n)
    }
}

pub(super) fn invoked(invoke: Invoke) -> Event {
    Event::Invoked(Box::new(invoke))
}

pub(super) fn attempt(invocation: Lsn, attempt: Lsn) -> AttemptRef {
    AttemptRef { invocation, attempt }
}

pub(super) fn command(attempt: AttemptRef, command: Command) -> Event {
    command_for(attempt, command, None)
}

pub(super) fn command_for(attempt: AttemptRef, command: Command, callee: Option<Callee>) -> Event {
    let entry = wire::command::encode(&NamedCommand::from(command), ProtocolVersion::V6);
    let command = ProposedCommand::decode(entry).unwrap();
    Event::CommandProposed { attempt, command, callee: callee.map(Box::new) }
}

pub(super) fn output(attempt: AttemptRef, value: &'static str) -> Event {
    command(attempt, Command::Output { result: Ok(Bytes::from_static(value.as_bytes())) })
}

/// A result of which one record stores a single copy.
pub(super) fn large() -> Bytes {
    static LARGE: [u8; 600 << 10] = [7; 600 << 10];
    Bytes::from_static(&LARGE)
}

pub(super) fn ended(attempt: AttemptRef) -> Event {
    Event::AttemptEnded { attempt }
}

pub(super) fn suspended(attempt: AttemptRef, completion: u32, seen: u32) -> Event {
    let awaiting = Awaiting::any_of(vec![
        NotificationId::Completion(completion),
        NotificationId::Signal(SignalId::Index(1)),
    ]);
    Event::AttemptSuspended { attempt, awaiting, seen }
}

pub(super) fn failed(attempt: AttemptRef, next: AfterFailure) -> Event {
    let failure = AttemptFailure {
        code: 500,
        error_code: None,
        message: "boom".to_owned(),
        stacktrace: String::new(),
        related_command: None,
    };
    Event::AttemptFailedOn { attempt, deployment: None, failure, next }
}

pub(super) fn sleep(until_ms: u64, completion: u32) -> Command {
    Command::Sleep { wake_up_time_ms: until_ms, completion }
}

pub(super) fn timer(at_ms: u64, invocation: Lsn, completion: u32) -> Event {
    let at = Timestamp(at_ms);
    Event::TimerFired { timer: crate::model::timer::TimerKey { at, invocation, completion } }
}

/// An operator, and why she asks.
pub(super) fn ada(reason: &str) -> Operator {
    Operator { name: "ada".to_owned(), reason: Some(reason.to_owned()) }
}

/// A deployment that offers a `Counter`.
pub(super) fn counter_deployment(
    id: u128,
    uri: &str,
    kind: ServiceKind,
    handlers: Vec<HandlerDefinition>,
) -> Deployment {
    let service = ServiceDefinition {
        name: "Counter".to_owned(),
        kind,
        handlers,
        options: ServiceOptions::default(),
        documentation: None,
        metadata: Vec::new(),
    };
    Deployment {
        id: DeploymentId(id),
        uri: uri.to_owned(),
        bidirectional: true,
        http1: false,
        headers: Vec::new(),
        metadata: Vec::new(),
        protocol_range: (5, 7),
        sdk: None,
        services: vec![service],
    }
}
