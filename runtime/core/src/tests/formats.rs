//! What is on disk today stays readable: one example of every event and every row, with its bytes
//! in the format that introduced it. A line of `formats.txt` never changes; new variants add lines.

use bytes::Bytes;
use protocol::{
    DeploymentId, HandlerKind, ProtocolVersion, ServiceKind, StateVersion, Target, TerminalFailure,
    journal::{
        Awaiting, Combinator, Command, Entry, EntryIndex, Notification, NotificationId,
        NotificationKind, NotificationResult, notification::SignalId,
    },
    wire::MessageType,
};

use super::support::*;
use crate::{
    event::{Event, Record, Rules},
    model::{
        deployment::{
            Deployment, HandlerDefinition, InputRule, OnMaxAttempts, OutputRule, RetryOptions,
            ServiceDefinition, ServiceOptions, StoredDeployment,
        },
        ids::{Lsn, PartitionId, RequestId},
        incident::{Happened, Incident},
        invocation::{
            AfterFailure, AttemptFailure, CallRef, Callee, Completion, Invocation, Pause, Pin,
            RelatedCommand, Retention, Source, Status, StatusKind, WaitingFor,
        },
        message::Message,
        operation::{Audited, NotRestartable, Operation, Outcome, Restart},
        operator::Operator,
        producer::Position,
        registry_change::{
            AuditedChange, ChangeOutcome, ChangedFact, FactValue, RegistryChange, RegistryVerb,
            Stranded,
        },
        state_edit::{
            AuditedEdit, ChangedEntry, EditOutcome, Sample, StateChange, StateEdit, StateSummary,
            WaitingEdit,
        },
        timer::Timer,
    },
    tables::{
        Row,
        completion::{CompletionState, Deliveries, Delivery, SignalUse},
        expiry::PromiseName,
        journal::JournalEntry,
        meta::Meta,
        object::Object,
        old_formats::{InvocationV2, InvocationV5},
        outbox::Outgoing,
        promise::Promise,
        shared_result::SharedResult,
        tally::Tally,
    },
    time::{Stamp, Timestamp},
};

fn deployment() -> Deployment {
    let options = ServiceOptions {
        inactivity_timeout_ms: Some(1),
        abort_timeout_ms: Some(2),
        journal_retention_ms: Some(3),
        idempotency_retention_ms: None,
        workflow_retention_ms: Some(5),
        lazy_state: Some(true),
        ingress_private: Some(false),
        retry: RetryOptions {
            initial_interval_ms: Some(6),
            max_interval_ms: None,
            max_attempts: Some(7),
            factor_thousandths: Some(2000),
            on_max_attempts: Some(OnMaxAttempts::Kill),
        },
    };
    let handler = HandlerDefinition {
        name: "add".to_owned(),
        kind: HandlerKind::Exclusive,
        options: ServiceOptions::default(),
        input: InputRule {
            required: true,
            content_type: Some("application/json".to_owned()),
            json_schema: None,
        },
        output: OutputRule {
            content_type: None,
            set_content_type_if_empty: true,
            json_schema: Some("{}".to_owned()),
        },
        documentation: None,
        metadata: Vec::new(),
    };
    let service = ServiceDefinition {
        name: "Counter".to_owned(),
        kind: ServiceKind::VirtualObject,
        handlers: vec![handler],
        options,
        documentation: Some("counts".to_owned()),
        metadata: vec![("team".to_owned(), "a".to_owned())],
    };
    Deployment {
        id: DeploymentId(9),
        uri: "http://127.0.0.1:9080".to_owned(),
        bidirectional: true,
        http1: false,
        headers: vec![("x".to_owned(), "y".to_owned())],
        metadata: Vec::new(),
        protocol_range: (5, 7),
        sdk: Some("sdk/1".to_owned()),
        services: vec![service],
    }
}

fn failure() -> TerminalFailure {
    TerminalFailure {
        code: 409,
        message: "no".to_owned(),
        metadata: vec![("k".to_owned(), "v".to_owned())],
    }
}

fn caller() -> CallRef {
    CallRef { id: id(1), invocation: Lsn(300), completion: 4, kind: NotificationKind::Call }
}

fn broken() -> AttemptFailure {
    AttemptFailure {
        code: 570,
        error_code: Some("RT0016".to_owned()),
        message: "boom".to_owned(),
        stacktrace: "at".to_owned(),
        related_command: Some(RelatedCommand {
            index: Some(1),
            name: Some("n".to_owned()),
            ty: Some(1025),
        }),
    }
}

fn tree() -> Awaiting {
    let leaf = Awaiting::any_of(vec![NotificationId::Signal(SignalId::Name("go".to_owned()))]);
    let leaves = vec![NotificationId::Completion(2), NotificationId::Signal(SignalId::Index(17))];
    Awaiting::node(Combinator::AllCompleted, leaves, vec![leaf])
}

fn notification(result: NotificationResult) -> Notification {
    Notification { kind: NotificationKind::Call, id: NotificationId::Completion(2), result }
}

fn events() -> Vec<(&'static str, Event)> {
    let name = attempt(Lsn(300), Lsn(301));
    let request = RequestId(5);
    let pin = Pin { deployment: DeploymentId(9), protocol: ProtocolVersion::V6 };
    let callee = Callee {
        id: id(2),
        service_kind: ServiceKind::Service,
        handler_kind: HandlerKind::Service,
        retention: Retention { completion_ms: 1, journal_ms: 2 },
        random_seed: 3,
    };
    let target = Target::new("Greeter", "", "greet");
    let mut full = call_object(1, "ada");
    full.source = Source::Call { caller: caller(), caller_target: target.clone() };
    full.start_at = Some(Timestamp(77));
    full.idempotency_key = Some("key".to_owned());
    full.scope = Some("scope".to_owned());
    full.limit_key = Some("limit".to_owned());
    let mut sent = call_workflow(1, "w");
    sent.source = Source::OneWayCall { caller: id(1), caller_target: target };
    let mut accepted = call(1);
    accepted.source = Source::IngressSend { request };
    let message = |message| Event::MessageReceived { from: PartitionId(1), sequence: 2, message };
    let attempt_failed = |next| Event::AttemptFailed { attempt: name, failure: broken(), next };
    let sleep = command_for(name, sleep(1, 2), Some(callee));
    vec![
        ("Invoked call", invoked(call(1))),
        ("Invoked by call", invoked(full)),
        ("Invoked by one-way call", invoked(sent)),
        ("Invoked send", invoked(accepted)),
        ("DeploymentPinned", Event::DeploymentPinned { attempt: name, pin }),
        ("CommandProposed", command(name, Command::Run { completion: 1 })),
        ("CommandProposed with callee", sleep),
        (
            "RunProposed",
            Event::RunProposed { attempt: name, completion: 1, result: Ok(Bytes::from("1")) },
        ),
        (
            "RunProposed failure",
            Event::RunProposed { attempt: name, completion: 1, result: Err(failure()) },
        ),
        ("AttemptSuspended", Event::AttemptSuspended { attempt: name, awaiting: tree(), seen: 3 }),
        ("AttemptEnded", ended(name)),
        ("AttemptFailed retry", attempt_failed(AfterFailure::Retry { delay_ms: 5, counts: true })),
        ("AttemptFailed pause", attempt_failed(AfterFailure::Pause)),
        ("AttemptFailed kill", attempt_failed(AfterFailure::Kill(failure()))),
        ("AttemptFailed fail", attempt_failed(AfterFailure::Fail(failure()))),
        ("TimerFired", timer(7, Lsn(300), 1)),
        (
            "SignalReceived",
            Event::SignalReceived {
                target: id(1),
                signal: SignalId::Index(17),
                result: NotificationResult::Value(Bytes::from("1")),
            },
        ),
        ("CancelRequested", Event::CancelRequested { request, target: id(1) }),
        ("KillRequested", Event::KillRequested { request, target: id(1) }),
        ("MessageReceived invoke", message(Message::Invoke(Box::new(call(1))))),
        (
            "MessageReceived notify",
            message(Message::Notify {
                to: id(1),
                invocation: Lsn(300),
                notification: notification(NotificationResult::Failure(failure())),
            }),
        ),
        (
            "MessageReceived signal",
            message(Message::Signal {
                to: id(1),
                signal: SignalId::Name("go".to_owned()),
                result: NotificationResult::Void,
            }),
        ),
        (
            "MessageReceived attach",
            message(Message::Attach { from: caller(), target: id(2), wait: true }),
        ),
        ("MessageReceived kill", message(Message::Kill { target: id(1) })),
        ("MessagesAcknowledged", Event::MessagesAcknowledged { by: PartitionId(1), sequence: 2 }),
        ("RetentionDue", Event::RetentionDue { budget_bytes: 1 << 32, limit: 256 }),
        (
            "DeploymentRegistered",
            Event::DeploymentRegistered { request, deployment: deployment().into() },
        ),
        ("DeploymentRemoved", Event::DeploymentRemoved { request, deployment: DeploymentId(9) }),
    ]
}

/// Events that use what format 2 introduced.
fn events_2() -> Vec<(&'static str, Event)> {
    let name = attempt(Lsn(300), Lsn(301));
    let message = |message| Event::MessageReceived { from: PartitionId(1), sequence: 2, message };
    let mut sent = call(1);
    let caller_target = Target::new("Greeter", "", "greet");
    sent.source = Source::Sent { caller: id(1), invocation: Lsn(300), caller_target };
    let Event::CommandProposed { attempt, command, callee } = command(name, sleep(1, 2)) else {
        panic!("a command")
    };
    let next = AfterFailure::RetryUnreached { delay_ms: 5, counts: false };
    vec![
        ("Invoked by one-way call", invoked(sent)),
        (
            "AttemptFailed unreached",
            Event::AttemptFailed { attempt: name, failure: broken(), next },
        ),
        (
            "MessageReceived kill callee",
            message(Message::KillCallee { target: id(2), caller: id(1), invocation: Lsn(300) }),
        ),
        ("MessageReceived detach", message(Message::Detach { from: caller(), target: id(2) })),
        (
            "TimedCommandProposed",
            Event::TimedCommandProposed { attempt, command, callee, delay_ms: 2000 },
        ),
        (
            "SignalRequested",
            Event::SignalRequested {
                request: RequestId(5),
                target: id(1),
                signal: SignalId::Index(17),
                result: NotificationResult::Value(Bytes::from("1")),
            },
        ),
        ("CleanupDue", Event::CleanupDue { budget_bytes: 1 << 32, limit: 256 }),
        (
            "DeploymentOffered",
            Event::DeploymentOffered {
                request: RequestId(5),
                deployment: deployment().into(),
                replace: true,
                allow_breaking: false,
            },
        ),
        ("PurgeRequested", Event::PurgeRequested { request: RequestId(5), target: id(1) }),
    ]
}

/// Events that use what format 4 introduced.
fn events_4() -> Vec<(&'static str, Event)> {
    let mut produced = call(1);
    let position = Position { epoch: 1, offset: 300 };
    produced.source = Source::Producer { name: "orders/0".to_owned(), position };
    let invoke = Box::new(produced);
    vec![("Produced", Event::Produced { request: RequestId(5), invoke })]
}

/// Rows that use what format 4 introduced.
fn rows_4() -> Vec<(&'static str, Row)> {
    vec![("Position", Row::Position(Position { epoch: 1, offset: 300 }))]
}

/// Events that use what format 5 introduced.
fn events_5() -> Vec<(&'static str, Event)> {
    vec![("ResultDue", Event::ResultDue { of: Lsn(300) })]
}

/// Rows that use what format 5 introduced.
fn rows_5() -> Vec<(&'static str, Row)> {
    let result = Box::new(NotificationResult::Value(Bytes::from("1")));
    vec![
        ("SharedResult of an invocation", Row::SharedResult(SharedResult::OfInvocation)),
        ("SharedResult", Row::SharedResult(SharedResult::Here(result))),
    ]
}

/// Events that use what format 3 introduced.
fn events_3() -> Vec<(&'static str, Event)> {
    let name = attempt(Lsn(300), Lsn(301));
    let next = AfterFailure::RetryUnsent { delay_ms: 5 };
    vec![("AttemptFailed unsent", Event::AttemptFailed { attempt: name, failure: broken(), next })]
}

fn version() -> StateVersion {
    StateVersion::of([("count", "1")])
}

fn replacement() -> StateChange {
    StateChange::Replace(vec![(Bytes::from("count"), Bytes::from("1"))])
}

fn patch() -> StateChange {
    let set = vec![(Bytes::from("count"), Bytes::from("1"))];
    StateChange::Patch { set, clear: vec![Bytes::from("name")] }
}

fn state_edit(change: StateChange, expected: Option<StateVersion>) -> StateEdit {
    let (service, key) = ("Counter".to_owned(), "ada".to_owned());
    StateEdit { service, key, change, expected }
}

/// Events that use what format 6 introduced.
fn events_6() -> Vec<(&'static str, Event)> {
    let name = attempt(Lsn(300), Lsn(301));
    let failed = |deployment| Event::AttemptFailedOn {
        attempt: name,
        deployment,
        failure: broken(),
        next: AfterFailure::RetryUnsent { delay_ms: 5 },
    };
    let operation = |operation| Event::OperationRequested {
        request: RequestId(5),
        operator: operator(),
        target: id(1),
        operation,
    };
    let edit = |change, expected| Event::StateEditRequested {
        request: RequestId(5),
        operator: operator(),
        edit: Box::new(state_edit(change, expected)),
    };
    vec![
        ("AttemptFailedOn", failed(Some(DeploymentId(9)))),
        ("AttemptFailedOn nothing", failed(None)),
        ("OperationRequested cancel", operation(Operation::Cancel)),
        ("OperationRequested kill", operation(Operation::Kill)),
        ("OperationRequested purge", operation(Operation::Purge)),
        ("OperationRequested purge journal", operation(Operation::PurgeJournal)),
        ("OperationRequested pause", operation(Operation::Pause)),
        ("OperationRequested resume", operation(Operation::Resume { onto: None })),
        (
            "OperationRequested resume elsewhere",
            operation(Operation::Resume { onto: Some(DeploymentId(9)) }),
        ),
        ("StateEditRequested replace", edit(replacement(), Some(version()))),
        ("StateEditRequested patch", edit(patch(), None)),
        ("OperationRequested restart", operation(restart(0, None))),
        ("OperationRequested restart from a prefix", operation(restart(300, Some(pin())))),
        (
            "ServiceConfigured",
            Event::ServiceConfigured {
                request: RequestId(5),
                service: "Counter".to_owned(),
                changes: ServiceOptions {
                    journal_retention_ms: Some(300),
                    ingress_private: Some(true),
                    ..ServiceOptions::default()
                },
            },
        ),
        (
            "DeploymentUpdated",
            Event::DeploymentUpdated {
                request: RequestId(5),
                deployment: deployment().into(),
                overwrite: true,
            },
        ),
        (
            "RegistryChangeRequested register",
            change(RegistryChange::Register {
                deployment: deployment().into(),
                replace: true,
                allow_breaking: false,
            }),
        ),
        (
            "RegistryChangeRequested update",
            change(RegistryChange::Update { deployment: deployment().into(), overwrite: true }),
        ),
        (
            "RegistryChangeRequested configure",
            change(RegistryChange::Configure {
                service: "Counter".to_owned(),
                changes: ServiceOptions {
                    journal_retention_ms: Some(300),
                    ingress_private: Some(true),
                    ..ServiceOptions::default()
                },
            }),
        ),
        (
            "RegistryChangeRequested remove",
            change(RegistryChange::Remove {
                deployment: DeploymentId(9),
                force: true,
                stranded: vec![stranded()],
            }),
        ),
    ]
}

fn change(change: RegistryChange) -> Event {
    let change = Box::new(change);
    Event::RegistryChangeRequested { request: RequestId(5), operator: operator(), change }
}

fn stranded() -> Stranded {
    Stranded { service: "Counter".to_owned(), status: StatusKind::Suspended, count: 300 }
}

/// Every verb, every outcome and every kind of value.
fn audited_changes() -> Vec<(&'static str, Row)> {
    let fact = |before, after| ChangedFact { key: "uri".to_owned(), before, after };
    let row = |verb, outcome, changes: Vec<ChangedFact>, stranded: Vec<Stranded>| {
        Row::AuditedChange(Box::new(AuditedChange {
            at: Timestamp(15),
            operator: operator(),
            verb,
            deployment: (outcome != ChangeOutcome::NotFound).then_some(DeploymentId(9)),
            outcome,
            changes_omitted: 300 * changes.len() as u64,
            changes,
            stranded_omitted: 300 * stranded.len() as u64,
            stranded,
        }))
    };
    let refused = |verb, outcome| row(verb, outcome, Vec::new(), Vec::new());
    let register = || RegistryVerb::Register { replace: true, allow_breaking: false };
    let update = || RegistryVerb::Update { overwrite: true };
    let configure = || RegistryVerb::Configure { service: "Counter".to_owned() };
    let remove = || RegistryVerb::Remove { force: true };
    let text = FactValue::Text(Sample::Whole(Bytes::from("http://a")));
    let hashed = FactValue::Text(Sample::Hashed { bytes: 3000, sha256: [7; 32] });
    let registered = vec![fact(None, Some(text)), fact(Some(hashed), None)];
    let updated = vec![
        fact(Some(FactValue::Secret), Some(FactValue::Secret)),
        fact(Some(FactValue::Flag(false)), Some(FactValue::Flag(true))),
    ];
    let configured = vec![
        fact(Some(FactValue::Number(300)), Some(FactValue::DurationMs(300))),
        fact(None, Some(FactValue::Thousandths(1500))),
    ];
    let done = ChangeOutcome::Done;
    vec![
        ("AuditedChange registered", row(register(), done, registered, Vec::new())),
        ("AuditedChange updated", row(update(), done, updated, Vec::new())),
        ("AuditedChange configured", row(configure(), done, configured, Vec::new())),
        ("AuditedChange removed", row(remove(), done, Vec::new(), vec![stranded()])),
        ("AuditedChange already registered", refused(register(), ChangeOutcome::AlreadyRegistered)),
        ("AuditedChange kind changed", refused(register(), ChangeOutcome::KindChanged)),
        ("AuditedChange not found", refused(remove(), ChangeOutcome::NotFound)),
        ("AuditedChange address taken", refused(update(), ChangeOutcome::AddressTaken)),
        ("AuditedChange lost", refused(update(), ChangeOutcome::Lost)),
        ("AuditedChange no workflow", refused(configure(), ChangeOutcome::NotAWorkflow)),
    ]
}

fn restart(from: EntryIndex, pin: Option<Pin>) -> Operation {
    Operation::RestartAsNew(Restart { id: id(2), from, pin, random_seed: 3000 })
}

fn pin() -> Pin {
    Pin { deployment: DeploymentId(9), protocol: ProtocolVersion::V7 }
}

/// Rows that use what format 6 introduced: the current form of an invocation, and incidents.
fn rows_6() -> Vec<(&'static str, Row)> {
    let told = |row| {
        let Row::Invocation(row) = row else { panic!("{row:?} is no invocation") };
        Row::Invocation(Box::new(Invocation { incidents: 300, incident_bytes: 4000, ..*row }))
    };
    let incident =
        |what| Row::Incident(Box::new(Incident { at: Timestamp(15), journal_len: 4, what }));
    let failed = Happened::AttemptFailed {
        started_at: Timestamp(12),
        deployment: Some(DeploymentId(9)),
        failure: broken(),
    };
    let paused = |row| {
        let Row::Invocation(row) = row else { panic!("{row:?} is no invocation") };
        let waited_for = Some(WaitingFor::Retry { at: Timestamp(12) });
        let pause = Pause { at: Timestamp(15), operator: Some(operator()), waited_for };
        Row::Invocation(Box::new(Invocation { pause: Some(Box::new(pause)), ..*row }))
    };
    let audited = |status: Option<StatusKind>, outcome| {
        Row::Audited(Box::new(Audited {
            at: Timestamp(15),
            operator: operator(),
            operation: Operation::Pause,
            invocation: id(1),
            target: status.map(|_| Target::new("Counter", "ada", "add")),
            status,
            outcome,
        }))
    };
    let waiting = WaitingEdit {
        asked_at: Timestamp(15),
        operator: operator(),
        edit: state_edit(replacement(), Some(version())),
    };
    let summary = StateSummary { version: version(), entries: 300, bytes: 4000 };
    let edited = |outcome, after: Option<StateSummary>| {
        let change = ChangedEntry {
            key: Sample::Whole(Bytes::from("count")),
            before: Some(Sample::Hashed { bytes: 3000, sha256: [7; 32] }),
            after: Some(Sample::Whole(Bytes::from("1"))),
        };
        Row::AuditedEdit(Box::new(AuditedEdit {
            at: Timestamp(16),
            asked_at: Timestamp(15),
            operator: operator(),
            service: "Counter".to_owned(),
            key: "ada".to_owned(),
            is_replacement: true,
            outcome,
            before: Some(summary),
            after,
            changes: after.map(|_| change).into_iter().collect(),
            changes_omitted: 300,
        }))
    };
    let invocations = rows_3().into_iter().map(|(name, row)| (name, told(row)));
    let mut tally = Tally::default();
    tally.add(StatusKind::Running);
    (0..300).for_each(|_| tally.add(StatusKind::Completed));
    let resumed = Happened::Resumed { by: operator(), onto: Some(DeploymentId(9)) };
    let running = Some(StatusKind::Running);
    let restarted = |row| {
        let Row::Invocation(row) = row else { panic!("{row:?} is no invocation") };
        let source = Source::Restarted { from: id(2) };
        Row::Invocation(Box::new(Invocation { source, ..*row }))
    };
    let ended = Some(StatusKind::Completed);
    let not_restartable = |why| audited(ended, Outcome::NotRestartable(why));
    let others = [
        ("Incident", incident(failed)),
        ("Tally", Row::Tally(Box::new(tally))),
        ("Invocation paused by an operator", paused(invocation(Status::Paused))),
        ("Incident paused", incident(Happened::Paused { by: None })),
        ("Incident resumed", incident(resumed)),
        ("Audited requested", audited(running, Outcome::Requested)),
        ("Audited done", audited(running, Outcome::Done)),
        ("Audited not found", audited(None, Outcome::NotFound)),
        ("Audited refused", audited(running, Outcome::Refused(StatusKind::Running))),
        ("Audited not pinned", audited(running, Outcome::NotPinned)),
        ("WaitingEdit", Row::WaitingEdit(Box::new(waiting))),
        ("AuditedEdit done", edited(EditOutcome::Done, Some(summary))),
        ("AuditedEdit conflict", edited(EditOutcome::Conflict, None)),
        ("AuditedEdit queued", edited(EditOutcome::Queued { behind: id(1) }, None)),
        ("AuditedEdit too many", edited(EditOutcome::TooMany, None)),
        ("Invocation restarted", restarted(invocation(Status::Running { attempt: Lsn(301) }))),
        ("Incident cancel requested", incident(Happened::CancelRequested { by: operator() })),
        ("Incident killed", incident(Happened::Killed { by: operator() })),
        ("Incident restarted as", incident(Happened::RestartedAs { by: operator(), id: id(2) })),
        (
            "Incident restarted from",
            incident(Happened::RestartedFrom { by: operator(), id: id(2) }),
        ),
        ("Incident state edit queued", incident(Happened::StateEditQueued { by: operator() })),
        ("Audited restarted", audited(ended, Outcome::Restarted(id(2)))),
        ("Audited restart of a workflow", not_restartable(NotRestartable::Workflow)),
        ("Audited restart without journal", not_restartable(NotRestartable::NoJournal)),
        (
            "Audited restart from no entry",
            not_restartable(NotRestartable::NoSuchEntry { entries: 300 }),
        ),
        (
            "Audited restart uncompleted",
            not_restartable(NotRestartable::Uncompleted { command: 300 }),
        ),
        ("Audited restart of old protocol", not_restartable(NotRestartable::OldProtocol)),
        ("Audited restart mistaken", not_restartable(NotRestartable::Mistaken)),
        ("Audited restart too large", not_restartable(NotRestartable::TooLarge)),
    ];
    invocations.chain(others).chain(audited_changes()).collect()
}

/// Rows that use what format 3 introduced: an invocation in every state.
fn rows_3() -> Vec<(&'static str, Row)> {
    let told = |row| {
        let Row::Invocation(row) = row else { panic!("{row:?} is no invocation") };
        Row::Invocation(Box::new(Invocation { unsent: 300, cancel_pending: true, ..*row }))
    };
    let invocations = rows().into_iter().filter(|(name, _)| name.starts_with("Invocation"));
    invocations.map(|(name, row)| (name, told(row))).collect()
}

/// Rows that use what format 2 introduced.
fn rows_2() -> Vec<(&'static str, Row)> {
    let name =
        PromiseName { workflow: "Order".to_owned(), key: "o-1".to_owned(), name: "p".to_owned() };
    vec![
        ("Deliveries", Row::Deliveries(Deliveries { success: Some(3), failure: None })),
        ("SignalUse", Row::SignalUse(SignalUse { entries: 2, bytes: 300 })),
        ("Retained", Row::Retained(1500)),
        ("PromiseName", Row::PromiseName(Box::new(name))),
    ]
}

fn invocation(status: Status) -> Row {
    // What earlier formats tell of a pause: since when.
    let pause = Pause { at: Timestamp(11), operator: None, waited_for: None };
    let pause = matches!(status, Status::Paused).then(|| Box::new(pause));
    Row::Invocation(Box::new(Invocation {
        id: id(1),
        target: Target::new("Counter", "ada", "add"),
        service_kind: ServiceKind::VirtualObject,
        handler_kind: HandlerKind::Shared,
        source: Source::IngressCall { request: RequestId(5) },
        status,
        pin: Some(Pin { deployment: DeploymentId(9), protocol: ProtocolVersion::V7 }),
        idempotency_key: Some("key".to_owned()),
        scope: None,
        limit_key: None,
        retention: Retention { completion_ms: 1, journal_ms: 2 },
        random_seed: 3,
        created_at: Timestamp(10),
        modified_at: Timestamp(11),
        start_at: Some(Timestamp(12)),
        running_at: Some(Timestamp(13)),
        journal_len: 4,
        commands: 3,
        journal_bytes: 500,
        last_entry_at: Timestamp(14),
        output: Some(3),
        has_notifications: true,
        has_waiters: false,
        retry_count: 1,
        policy_attempts: 2,
        last_failure: Some(Box::new(broken())),
        unsent: 0,
        cancel_pending: false,
        incidents: 0,
        incident_bytes: 0,
        pause,
    }))
}

fn operator() -> Operator {
    Operator { name: "ada".to_owned(), reason: Some("too hot".to_owned()) }
}

/// The row as formats 3 to 5 wrote it.
fn frozen_5(row: &Row) -> Row {
    let Row::Invocation(row) = row.clone() else { return row.clone() };
    Row::InvocationV5(Box::new(InvocationV5 {
        id: row.id,
        target: row.target,
        service_kind: row.service_kind,
        handler_kind: row.handler_kind,
        source: row.source,
        status: row.status,
        pin: row.pin,
        idempotency_key: row.idempotency_key,
        scope: row.scope,
        limit_key: row.limit_key,
        retention: row.retention,
        random_seed: row.random_seed,
        created_at: row.created_at,
        modified_at: row.modified_at,
        start_at: row.start_at,
        running_at: row.running_at,
        journal_len: row.journal_len,
        commands: row.commands,
        journal_bytes: row.journal_bytes,
        last_entry_at: row.last_entry_at,
        output: row.output,
        has_notifications: row.has_notifications,
        has_waiters: row.has_waiters,
        retry_count: row.retry_count,
        policy_attempts: row.policy_attempts,
        last_failure: row.last_failure,
        unsent: row.unsent,
        cancel_pending: row.cancel_pending,
    }))
}

/// The row as formats 1 and 2 wrote it.
fn frozen(row: &Row) -> Row {
    let Row::Invocation(row) = row.clone() else { return row.clone() };
    Row::InvocationV2(Box::new(InvocationV2 {
        id: row.id,
        target: row.target,
        service_kind: row.service_kind,
        handler_kind: row.handler_kind,
        source: row.source,
        status: row.status,
        pin: row.pin,
        idempotency_key: row.idempotency_key,
        scope: row.scope,
        limit_key: row.limit_key,
        retention: row.retention,
        random_seed: row.random_seed,
        created_at: row.created_at,
        modified_at: row.modified_at,
        start_at: row.start_at,
        running_at: row.running_at,
        journal_len: row.journal_len,
        commands: row.commands,
        journal_bytes: row.journal_bytes,
        last_entry_at: row.last_entry_at,
        output: row.output,
        has_notifications: row.has_notifications,
        has_waiters: row.has_waiters,
        retry_count: row.retry_count,
        policy_attempts: row.policy_attempts,
        last_failure: row.last_failure,
    }))
}

fn rows() -> Vec<(&'static str, Row)> {
    let completed = |result| Completion {
        result,
        expires_at: Some(Timestamp(90)),
        target: Target::new("Counter", "ada", "add"),
    };
    let waiting = |waiting| invocation(Status::Waiting(waiting));
    let delivery = Delivery { index: 3, failed: true };
    let entry = Entry { ty: MessageType::OUTPUT_COMMAND, body: Bytes::from("body") };
    let stored = StoredDeployment {
        deployment: deployment().into(),
        created_at: Timestamp(10),
        revisions: vec![2],
    };
    let ended = |result| {
        let completion = completed(result).into();
        invocation(Status::Completed { at: Timestamp(15), completion })
    };
    vec![
        ("Unit", Row::Unit),
        ("Lsn", Row::Lsn(Lsn(300))),
        ("Bytes", Row::Bytes(Bytes::from("state"))),
        (
            "Meta",
            Row::Meta(Box::new(Meta {
                applied: Lsn(300),
                stamp: Stamp(1_000_000),
                sent: vec![(PartitionId(1), 2)],
                received: vec![(PartitionId(2), 3)],
                retained_bytes: 1000,
            })),
        ),
        ("Invocation scheduled", waiting(WaitingFor::Start { at: Timestamp(12) })),
        ("Invocation inboxed", waiting(WaitingFor::Object { place: Lsn(299) })),
        ("Invocation backing off", waiting(WaitingFor::Retry { at: Timestamp(12) })),
        ("Invocation suspended", waiting(WaitingFor::Notification { awaiting: tree(), seen: 3 })),
        ("Invocation running", invocation(Status::Running { attempt: Lsn(301) })),
        ("Invocation paused", invocation(Status::Paused)),
        ("Invocation completed", ended(Ok(Bytes::from("1")))),
        ("Invocation failed", ended(Err(failure()))),
        ("Journal", Row::Journal(JournalEntry { at: Timestamp(10), entry })),
        (
            "Completion pending",
            Row::Completion(CompletionState::Pending {
                kind: NotificationKind::Sleep,
                timer: Some(Timestamp(12)),
            }),
        ),
        ("Completion done", Row::Completion(CompletionState::Done(delivery))),
        ("Delivery", Row::Delivery(delivery)),
        ("Object", Row::Object(Object { holder: Lsn(300), queued: 2, head: Lsn(301) })),
        ("Timer start", Row::Timer(Timer::Start)),
        ("Timer retry", Row::Timer(Timer::Retry)),
        ("Timer sleep", Row::Timer(Timer::Sleep)),
        ("Promise pending", Row::Promise(Box::new(Promise::Pending(vec![(Lsn(300), 4)])))),
        ("Promise resolved", Row::Promise(Box::new(Promise::Completed(Ok(Bytes::from("1")))))),
        (
            "Outgoing",
            Row::Outgoing(Box::new(Outgoing {
                stamp: Stamp(1_000_000),
                message: Message::Notify {
                    to: id(1),
                    invocation: Lsn(300),
                    notification: notification(NotificationResult::StateKeys(vec![Bytes::from(
                        "a",
                    )])),
                },
            })),
        ),
        ("Waiter", Row::Waiter(caller())),
        ("Deployment", Row::Deployment(Box::new(stored))),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}

/// The bytes of each example in `formats.txt`, by name.
fn golden() -> Vec<(&'static str, &'static str)> {
    include_str!("formats.txt").lines().filter_map(|line| line.rsplit_once(": ")).collect()
}

/// Checks that every example decodes from its golden bytes, and encodes to the same bytes.
fn check<T: PartialEq + std::fmt::Debug>(
    prefix: &str,
    examples: Vec<(&'static str, T)>,
    read: impl Fn(&[u8]) -> T,
    write: impl Fn(&T) -> Vec<u8>,
) {
    let golden: Vec<_> =
        golden().into_iter().filter(|(name, _)| name.starts_with(prefix)).collect();
    let mut written = Vec::new();
    for (name, example) in examples {
        let name = format!("{prefix}{name}");
        if let Some((_, bytes)) = golden.iter().find(|(of, _)| *of == name) {
            assert_eq!(read(&unhex(bytes)), example, "{name}");
        }
        written.push(format!("{name}: {}", hex(&write(&example))));
    }
    let golden: Vec<String> = golden.iter().map(|(name, hex)| format!("{name}: {hex}")).collect();
    assert!(golden == written, "formats.txt should be\n{}", written.join("\n"));
}

#[test]
fn what_format_1_has_written_is_read_and_written_the_same() {
    let record = |bytes: &[u8]| Record::decode(Lsn(300), bytes).unwrap();
    let of = |rules, events: Vec<(&'static str, Event)>| {
        let stamp = Stamp(1_000_000);
        let record = move |event| Record { lsn: Lsn(300), stamp, rules, event };
        events.into_iter().map(|(name, event)| (name, record(event))).collect::<Vec<_>>()
    };
    check("event ", of(Rules::V1, events()), record, |record| record.encode().to_vec());
    check("event2 ", of(Rules::V2, events_2()), record, |record| record.encode().to_vec());
    check("event3 ", of(Rules::V3, events_3()), record, |record| record.encode().to_vec());
    check("event4 ", of(Rules::V4, events_4()), record, |record| record.encode().to_vec());
    check("event5 ", of(Rules::V5, events_5()), record, |record| record.encode().to_vec());
    check("event6 ", of(Rules::V6, events_6()), record, |record| record.encode().to_vec());
    let row = |bytes: &[u8]| Row::decode(bytes).unwrap();
    // Rows are written in the newest format: those that have not changed differ only in that byte.
    let written = |format, frozen: fn(&Row) -> Row| {
        move |row: &Row| {
            let mut bytes = frozen(row).encode(Vec::new());
            assert_eq!(std::mem::replace(&mut bytes[0], format), 6);
            bytes
        }
    };
    check("row ", rows(), row, written(1, frozen));
    check("row2 ", rows_2(), row, written(2, frozen));
    check("row3 ", rows_3(), row, written(3, frozen_5));
    check("row4 ", rows_4(), row, written(4, frozen_5));
    check("row5 ", rows_5(), row, written(5, frozen_5));
    // Current forms need no freezing.
    check("row6 ", rows_6(), row, written(6, Row::clone));
}

#[test]
fn a_record_keeps_the_rules_it_was_made_under() {
    let golden = golden();
    for (name, bytes) in golden.iter().filter(|(name, _)| name.starts_with("event")) {
        let rules = match name.split_once(' ') {
            Some(("event", _)) => Rules::V1,
            Some(("event2", _)) => Rules::V2,
            Some(("event3", _)) => Rules::V3,
            Some(("event4", _)) => Rules::V4,
            Some(("event5", _)) => Rules::V5,
            _ => Rules::V6,
        };
        let record = Record::decode(Lsn(1), &unhex(bytes)).unwrap();
        assert_eq!((record.rules, hex(&record.encode())), (rules, (*bytes).to_owned()), "{name}");
    }
}

#[test]
fn a_newer_format_is_refused_by_its_number() {
    for unknown in [0, 7, 9] {
        let refused = Record::decode(Lsn(1), &[unknown, 0]).unwrap_err();
        let expected = "this version reads formats 1 to 6";
        assert_eq!(refused.to_string(), format!("event format {unknown} is unknown: {expected}"));
        let refused = Row::decode(&[unknown]).unwrap_err();
        assert_eq!(refused.to_string(), format!("row format {unknown} is unknown: {expected}"));
    }
}
