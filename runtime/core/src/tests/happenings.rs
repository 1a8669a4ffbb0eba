//! Sequences of events, valid or not, for the properties in `laws.rs`.

use bytes::Bytes;
use proptest::prelude::*;
use protocol::{
    DeploymentId, HandlerKind, ProtocolVersion, ServiceKind, StateVersion,
    journal::{
        Awaiting, CallRequest, Combinator, Command, EntryIndex, NotificationId, NotificationResult,
        notification::SignalId,
    },
};

use super::support::*;
use crate::{
    event::Event,
    model::{
        ids::{AttemptRef, Lsn, PartitionId, RequestId},
        invocation::{AfterFailure, Callee, Invoke, Pin, Retention, Source, StatusKind},
        operation::{Operation, Restart},
        operator::Operator,
        producer::Position,
        state_edit::{StateChange, StateEdit},
    },
    obligations,
    time::Timestamp,
};

/// Where what is restarted runs, if it had not begun anywhere.
const PIN: Pin = Pin { deployment: DeploymentId(2), protocol: ProtocolVersion::V6 };

/// Something that may happen; which invocation and attempt it concerns depends on the current rows.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    Invoke { id: u8, kind: u8 },
    Produce { id: u8, offset: u8 },
    Command { pick: u8, what: u8, is_stale: bool },
    Suspend { pick: u8, completion: u8, is_stale: bool },
    Wait { pick: u8, width: u8, combinator: u8 },
    End { pick: u8, is_stale: bool },
    Fail { pick: u8, how: u8, is_stale: bool },
    Timers { later_ms: u16 },
    Signal { id: u8, what: u8 },
    RunProposed { pick: u8, completion: u8 },
    Cancel { id: u8 },
    Kill { id: u8 },
    Operate { id: u8, what: u8 },
    Restart { pick: u8, from: u8, is_again: bool },
    EditState { what: u8, is_stale: bool },
    Acknowledge { sequence: u8 },
    Retire { budget_bytes: u16 },
    Later { hours: u8 },
    Checkpoint,
    PassOn,
}

pub(super) fn happening() -> impl Strategy<Value = Happening> {
    let stale = || prop::bool::weighted(0.15);
    prop_oneof![
        4 => (0..8u8, 0..9u8).prop_map(|(id, kind)| Happening::Invoke { id, kind }),
        1 => (0..8u8, 0..6u8).prop_map(|(id, offset)| Happening::Produce { id, offset }),
        8 => (any::<u8>(), prop_oneof![30 => 0..14u8, 1 => 14..16u8], stale())
            .prop_map(|(pick, what, is_stale)| Happening::Command { pick, what, is_stale }),
        3 => (any::<u8>(), 1..6u8, stale())
            .prop_map(|(pick, completion, is_stale)| Happening::Suspend { pick, completion, is_stale }),
        4 => (any::<u8>(), stale()).prop_map(|(pick, is_stale)| Happening::End { pick, is_stale }),
        2 => (any::<u8>(), 0..8u8, stale())
            .prop_map(|(pick, how, is_stale)| Happening::Fail { pick, how, is_stale }),
        3 => (0..3000u16).prop_map(|later_ms| Happening::Timers { later_ms }),
        2 => (any::<u8>(), any::<u8>(), 0..5u8)
            .prop_map(|(pick, width, combinator)| Happening::Wait { pick, width, combinator }),
        3 => (0..8u8, 0..8u8).prop_map(|(id, what)| Happening::Signal { id, what }),
        1 => (any::<u8>(), 0..6u8)
            .prop_map(|(pick, completion)| Happening::RunProposed { pick, completion }),
        2 => (0..8u8).prop_map(|id| Happening::Cancel { id }),
        1 => (0..8u8).prop_map(|id| Happening::Kill { id }),
        4 => (0..8u8, 0..8u8).prop_map(|(id, what)| Happening::Operate { id, what }),
        4 => (any::<u8>(), 0..6u8, stale())
            .prop_map(|(pick, from, is_again)| Happening::Restart { pick, from, is_again }),
        3 => (any::<u8>(), stale())
            .prop_map(|(what, is_stale)| Happening::EditState { what, is_stale }),
        1 => (0..6u8).prop_map(|sequence| Happening::Acknowledge { sequence }),
        2 => any::<u16>().prop_map(|budget_bytes| Happening::Retire { budget_bytes }),
        1 => (0..40u8).prop_map(|hours| Happening::Later { hours }),
        1 => Just(Happening::Checkpoint),
        1 => Just(Happening::PassOn),
    ]
}

pub(super) fn running(fixture: &mut Fixture) -> Vec<AttemptRef> {
    obligations::running(&fixture.tables(), Lsn(0), usize::MAX)
}

/// Picks a running attempt, or, for a stale one, a reference to an attempt that never existed or is
/// over.
fn pick(fixture: &mut Fixture, pick: u8, is_stale: bool) -> Option<AttemptRef> {
    let running = running(fixture);
    let name = *running.get(usize::from(pick) % running.len().max(1))?;
    let attempt = if is_stale { Lsn(name.attempt.0.wrapping_sub(1)) } else { name.attempt };
    Some(AttemptRef { attempt, ..name })
}

pub(super) fn events(
    fixture: &mut Fixture,
    happening: &Happening,
    next_completion: &mut u32,
) -> Vec<Event> {
    match happening {
        Happening::Invoke { id, kind } => {
            let (n, key) = (u128::from(*id) + 1, if id % 2 == 0 { "even" } else { "odd" });
            let mut invoke = match kind {
                0 | 1 => call(n),
                2 | 3 => call_object(n, key),
                4 => call_workflow(n, key),
                // Shared handlers of a workflow, with and without a run.
                6 | 7 => {
                    let mut shared = call_workflow(n, key);
                    shared.handler_kind = HandlerKind::Shared;
                    shared
                }
                8 => Invoke { idempotency_key: Some(n.to_string()), ..call(n) },
                _ => {
                    let mut delayed = call_object(n, key);
                    delayed.start_at = Some(Timestamp(fixture.now_ms + 500));
                    delayed
                }
            };
            if kind % 2 == 0 && *kind < 8 {
                invoke.retention = Retention::default();
            }
            vec![invoked(invoke)]
        }
        Happening::Produce { id, offset } => {
            let position = Position { epoch: 0, offset: u64::from(*offset) };
            let source = Source::Producer { name: "topic/0".to_owned(), position };
            let invoke = Box::new(Invoke { source, ..call(u128::from(*id) + 1) });
            vec![Event::Produced { request: RequestId(1), invoke }]
        }
        Happening::Command { pick: at, what, is_stale } => {
            let Some(name) = pick(fixture, *at, *is_stale) else { return Vec::new() };
            *next_completion += 2;
            let (first, second) = (*next_completion, *next_completion + 1);
            let key = || Bytes::from("k");
            let command = match what {
                0 | 1 => Command::Output { result: Ok(Bytes::from("x")) },
                14 => Command::Output { result: Ok(large()) },
                2 => Command::SetState { key: key(), value: Bytes::from("v") },
                3 => Command::ClearAllState,
                4 => Command::GetLazyState { key: key(), completion: first },
                5 => {
                    let sleep = Command::Sleep { wake_up_time_ms: 3, completion: first };
                    return vec![timed(super::support::command(name, sleep), 700)];
                }
                6 => Command::Run { completion: first },
                7 => Command::GetPromise { key: "p".into(), completion: first },
                8 | 15 => Command::CompletePromise {
                    key: "p".into(),
                    result: Ok(if *what == 8 { Bytes::new() } else { large() }),
                    completion: first,
                },
                9 => {
                    let target = protocol::journal::InvocationTarget::Id(id(3).to_string());
                    Command::AttachInvocation { target, completion: first }
                }
                10 => Command::SendSignal {
                    target: id(2).to_string(),
                    signal: SignalId::Index(17),
                    result: NotificationResult::Void,
                },
                _ => return vec![called(name, *what, (first, second), fixture.applied)],
            };
            vec![super::support::command(name, command)]
        }
        Happening::Suspend { pick: at, completion, is_stale } => {
            let Some(name) = pick(fixture, *at, *is_stale) else { return Vec::new() };
            let row = fixture.tables().invocation(name.invocation);
            let len = row.map_or(0, |invocation| invocation.journal_len);
            let seen = len.min(u32::from(*completion) % 3);
            vec![suspended(name, (*next_completion).saturating_sub(u32::from(*completion)), seen)]
        }
        Happening::Wait { pick: at, width, combinator } => {
            let Some(attempt) = pick(fixture, *at, false) else { return Vec::new() };
            let seen = fixture.tables().invocation(attempt.invocation).unwrap().journal_len;
            let awaiting = wide(*width, *combinator, *next_completion);
            vec![Event::AttemptSuspended { attempt, awaiting, seen }]
        }
        Happening::RunProposed { pick: at, completion } => {
            let Some(attempt) = pick(fixture, *at, false) else { return Vec::new() };
            let completion = (*next_completion).saturating_sub(u32::from(*completion));
            vec![Event::RunProposed { attempt, completion, result: Ok(Bytes::new()) }]
        }
        Happening::End { pick: at, is_stale } => {
            pick(fixture, *at, *is_stale).map(ended).into_iter().collect()
        }
        Happening::Fail { pick: at, how, is_stale } => {
            let Some(name) = pick(fixture, *at, *is_stale) else { return Vec::new() };
            let failure = protocol::TerminalFailure::new(500, "no");
            let next = match how {
                0 => AfterFailure::Pause,
                1 => AfterFailure::Kill(failure),
                2 => AfterFailure::Fail(failure),
                3 => AfterFailure::RetryUnreached { delay_ms: 300, counts: false },
                4 | 5 => AfterFailure::RetryUnsent { delay_ms: 300 },
                _ => AfterFailure::Retry { delay_ms: 300, counts: true },
            };
            vec![failed(name, next)]
        }
        Happening::Timers { later_ms } => {
            fixture.now_ms += u64::from(*later_ms);
            let until = Timestamp(fixture.now_ms);
            let due = fixture.tables().timers_due(Timestamp(0), until, 8);
            due.into_iter().map(|timer| Event::TimerFired { timer }).collect()
        }
        Happening::Signal { id: n, what } => {
            let signal = match what % 4 {
                0 => SignalId::Index(17),
                1 => SignalId::Index(18),
                _ => SignalId::Name("go".to_owned()),
            };
            let result = if *what < 4 {
                NotificationResult::Value(Bytes::from("s"))
            } else {
                NotificationResult::Failure(protocol::TerminalFailure::new(500, "no"))
            };
            let (request, target) = (RequestId(2), id(u128::from(*n) + 1));
            vec![Event::SignalRequested { request, target, signal, result }]
        }
        Happening::Cancel { id: n } => {
            vec![Event::CancelRequested { request: RequestId(1), target: id(u128::from(*n) + 1) }]
        }
        Happening::Operate { id: n, what } => {
            let onto = Some(DeploymentId(2));
            let operation = [
                Operation::Cancel,
                Operation::Kill,
                Operation::Purge,
                Operation::PurgeJournal,
                Operation::Pause,
                Operation::Pause,
                Operation::Resume { onto: None },
                Operation::Resume { onto },
            ][usize::from(*what)];
            let operator = Operator { name: "ada".to_owned(), reason: None };
            let (request, target) = (RequestId(1), id(u128::from(*n) + 1));
            vec![Event::OperationRequested { request, operator, target, operation }]
        }
        Happening::Restart { pick, from, is_again } => {
            restart(fixture, *pick, *from, *is_again).into_iter().collect()
        }
        Happening::EditState { what, is_stale } => vec![edit_state(fixture, *what, *is_stale)],
        Happening::Kill { id: n } => {
            vec![Event::KillRequested { request: RequestId(1), target: id(u128::from(*n) + 1) }]
        }
        Happening::Acknowledge { sequence } => {
            // No partition acknowledges a message that was not sent.
            let by = PartitionId(1);
            let sent = fixture.tables().meta().sent;
            let sent = sent.iter().find(|(to, _)| *to == by).map_or(0, |(_, sequence)| *sequence);
            vec![Event::MessagesAcknowledged { by, sequence: sent.min(u64::from(*sequence)) }]
        }
        Happening::Retire { budget_bytes } => {
            let budget_bytes = u64::from(*budget_bytes);
            vec![match budget_bytes % 5 {
                // An old log may contain this event alongside current rows.
                0 => Event::RetentionDue { budget_bytes, limit: 3 },
                _ => Event::CleanupDue { budget_bytes, limit: 3 },
            }]
        }
        Happening::Later { hours } => {
            fixture.now_ms += u64::from(*hours) * 3_600_000 * 20;
            Vec::new()
        }
        Happening::Checkpoint => Vec::new(),
        Happening::PassOn => {
            let due = obligations::results(&fixture.tables()).into_iter();
            due.map(|of| Event::ResultDue { of }).collect()
        }
    }
}

/// Restarts something that has ended, under a new id or one that was given before.
fn restart(fixture: &mut Fixture, pick: u8, from: u8, is_again: bool) -> Option<Event> {
    let ended = fixture.tables().by_status(StatusKind::Completed, Lsn(0), usize::MAX);
    let lsn = *ended.get(usize::from(pick) % ended.len().max(1))?;
    let (target, pin) = {
        let row = fixture.tables().invocation(lsn)?;
        (row.id, row.pin)
    };
    let number = if is_again { u64::from(pick % 16) } else { fixture.applied };
    let restart = Restart {
        id: id(1000 + u128::from(number)),
        from: EntryIndex::from(from),
        pin: pin.or_else(|| pick.is_multiple_of(2).then_some(PIN)),
        random_seed: 9,
    };
    let operation = Operation::RestartAsNew(restart);
    let operator = Operator { name: "ada".to_owned(), reason: None };
    Some(Event::OperationRequested { request: RequestId(1), operator, target, operation })
}

/// Edits the state of an object or a workflow, for the version that it has now or for another one.
fn edit_state(fixture: &mut Fixture, what: u8, is_stale: bool) -> Event {
    let service = if what & 1 == 0 { "Counter" } else { "Order" };
    let key = if what & 2 == 0 { "even" } else { "odd" };
    let entry = |name: &'static str| (Bytes::from(name), Bytes::from(vec![what]));
    let change = match what >> 2 & 3 {
        0 => StateChange::Replace(vec![entry("k"), entry("edited")]),
        1 => StateChange::Replace(Vec::new()),
        2 => StateChange::Patch { set: vec![entry("edited")], clear: Vec::new() },
        _ => StateChange::Patch { set: Vec::new(), clear: vec![Bytes::from("k")] },
    };
    let known = fixture.tables().state_summary(service, key).version;
    let other = StateVersion::of([("no", "such state")]);
    let expected = (what >> 4 & 1 == 0).then_some(if is_stale { other } else { known });
    let operator = Operator { name: "ada".to_owned(), reason: None };
    let (service, key) = (service.to_owned(), key.to_owned());
    let edit = Box::new(StateEdit { service, key, change, expected });
    Event::StateEditRequested { request: RequestId(1), operator, edit }
}

/// Turns a command's event into what the Attempt proposes if the command carries a time.
fn timed(event: Event, delay_ms: u64) -> Event {
    let Event::CommandProposed { attempt, command, callee } = event else {
        panic!("not a command: {event:?}")
    };
    Event::TimedCommandProposed { attempt, command, callee, delay_ms }
}

/// A tree over the latest completions and the signals; wide ones are evaluated incrementally.
fn wide(width: u8, combinator: u8, last: u32) -> Awaiting {
    let combinator = [
        Combinator::Unknown,
        Combinator::FirstCompleted,
        Combinator::AllCompleted,
        Combinator::FirstSucceededOrAllFailed,
        Combinator::AllSucceededOrFirstFailed,
    ][usize::from(combinator)];
    let from = last.saturating_sub(u32::from(width % 32));
    let completions = (from..=last).map(NotificationId::Completion).collect();
    let signals = [SignalId::Index(17), SignalId::Name("go".to_owned())];
    let signals = signals.into_iter().map(NotificationId::Signal).collect();
    let cancel = vec![NotificationId::Signal(SignalId::Index(1))];
    let nested = Awaiting::node(combinator, completions, Vec::new());
    let other = Awaiting::node(Combinator::AllSucceededOrFirstFailed, signals, Vec::new());
    Awaiting::node(Combinator::FirstCompleted, cancel, vec![nested, other])
}

/// A call or a send, to this partition or the other.
fn called(name: AttemptRef, what: u8, (first, second): (u32, u32), unique: u64) -> Event {
    let is_far = what == 12;
    let mut callee_id = id(1000 + u128::from(unique));
    if is_far {
        callee_id.partition_key = protocol::PartitionKey(u64::MAX);
    }
    let callee = Callee {
        id: callee_id,
        service_kind: ServiceKind::VirtualObject,
        handler_kind: HandlerKind::Exclusive,
        retention: Retention::default(),
        random_seed: 1,
    };
    let request = CallRequest {
        service: "Counter".into(),
        handler: "add".into(),
        key: "even".into(),
        parameter: Bytes::new(),
        headers: Vec::new(),
        idempotency_key: None,
        scope: None,
        limit_key: None,
    };
    let command = if what == 13 {
        Command::OneWayCall { request, invoke_time_ms: 0, invocation_id_completion: first }
    } else {
        Command::Call { request, invocation_id_completion: first, result_completion: second }
    };
    command_for(name, command, Some(callee))
}
