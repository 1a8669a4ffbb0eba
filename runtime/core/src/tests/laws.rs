//! What holds for every sequence of events, sensible or not.

#![expect(clippy::wildcard_enum_match_arm, reason = "a law is about some effects, not all")]

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;
use protocol::{
    HandlerKind, ServiceKind,
    journal::{
        Awaiting, CallRequest, Combinator, Command, NotificationId, NotificationKind,
        NotificationResult, notification::SignalId,
    },
};

use super::support::*;
use crate::{
    Lsn, PartitionId,
    effect::Effect,
    event::{AfterFailure, AttemptRef, Callee, Event, Invoke, RequestId, Retention},
    obligations,
    tables::{
        Row, Table, Tables,
        completion::CompletionState,
        expiry::ROWS_BYTES,
        invocation::{Invocation, Status, StatusKind, WaitingFor},
        promise::Promise,
    },
    time::Timestamp,
};

/// Something that may happen; which invocation and attempt it is about depends on what there is.
#[derive(Debug, Clone)]
enum Happening {
    Invoke { id: u8, kind: u8 },
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
    Acknowledge { sequence: u8 },
    Retire { budget_bytes: u16 },
    Later { hours: u8 },
    Checkpoint,
}

fn happening() -> impl Strategy<Value = Happening> {
    let stale = || prop::bool::weighted(0.15);
    prop_oneof![
        4 => (0..8u8, 0..9u8).prop_map(|(id, kind)| Happening::Invoke { id, kind }),
        8 => (any::<u8>(), 0..14u8, stale())
            .prop_map(|(pick, what, is_stale)| Happening::Command { pick, what, is_stale }),
        3 => (any::<u8>(), 1..6u8, stale())
            .prop_map(|(pick, completion, is_stale)| Happening::Suspend { pick, completion, is_stale }),
        4 => (any::<u8>(), stale()).prop_map(|(pick, is_stale)| Happening::End { pick, is_stale }),
        2 => (any::<u8>(), 0..5u8, stale())
            .prop_map(|(pick, how, is_stale)| Happening::Fail { pick, how, is_stale }),
        3 => (0..3000u16).prop_map(|later_ms| Happening::Timers { later_ms }),
        2 => (any::<u8>(), any::<u8>(), 0..5u8)
            .prop_map(|(pick, width, combinator)| Happening::Wait { pick, width, combinator }),
        3 => (0..8u8, 0..8u8).prop_map(|(id, what)| Happening::Signal { id, what }),
        1 => (any::<u8>(), 0..6u8)
            .prop_map(|(pick, completion)| Happening::RunProposed { pick, completion }),
        1 => (0..8u8).prop_map(|id| Happening::Cancel { id }),
        1 => (0..8u8).prop_map(|id| Happening::Kill { id }),
        1 => (0..6u8).prop_map(|sequence| Happening::Acknowledge { sequence }),
        2 => any::<u16>().prop_map(|budget_bytes| Happening::Retire { budget_bytes }),
        1 => (0..40u8).prop_map(|hours| Happening::Later { hours }),
        1 => Just(Happening::Checkpoint),
    ]
}

fn running(world: &mut World) -> Vec<AttemptRef> {
    obligations::running(&world.tables(), Lsn(0), usize::MAX)
}

/// The attempt that is meant, or, for a stale one, a name it never had or has no more.
fn pick(world: &mut World, pick: u8, is_stale: bool) -> Option<AttemptRef> {
    let running = running(world);
    let name = *running.get(usize::from(pick) % running.len().max(1))?;
    let attempt = if is_stale { Lsn(name.attempt.0.wrapping_sub(1)) } else { name.attempt };
    Some(AttemptRef { attempt, ..name })
}

fn events(world: &mut World, happening: &Happening, next_completion: &mut u32) -> Vec<Event> {
    match happening {
        Happening::Invoke { id, kind } => {
            let (n, key) = (u128::from(*id) + 1, if id % 2 == 0 { "even" } else { "odd" });
            let mut invoke = match kind {
                0 | 1 => call(n),
                2 | 3 => call_object(n, key),
                4 => call_workflow(n, key),
                // Readers of a workflow, with and without a run, and what a key promises.
                6 | 7 => {
                    let mut shared = call_workflow(n, key);
                    shared.handler_kind = HandlerKind::Shared;
                    shared
                }
                8 => Invoke { idempotency_key: Some(n.to_string()), ..call(n) },
                _ => {
                    let mut delayed = call_object(n, key);
                    delayed.start_at = Some(Timestamp(world.now_ms + 500));
                    delayed
                }
            };
            if kind % 2 == 0 && *kind < 8 {
                invoke.retention = Retention::default();
            }
            vec![invoked(invoke)]
        }
        Happening::Command { pick: at, what, is_stale } => {
            let Some(name) = pick(world, *at, *is_stale) else { return Vec::new() };
            *next_completion += 2;
            let (first, second) = (*next_completion, *next_completion + 1);
            let key = || Bytes::from("k");
            let command = match what {
                0 | 1 => Command::Output { result: Ok(Bytes::from("x")) },
                2 => Command::SetState { key: key(), value: Bytes::from("v") },
                3 => Command::ClearAllState,
                4 => Command::GetLazyState { key: key(), completion: first },
                5 => {
                    let sleep = Command::Sleep { wake_up_time_ms: 3, completion: first };
                    return vec![timed(super::support::command(name, sleep), 700)];
                }
                6 => Command::Run { completion: first },
                7 => Command::GetPromise { key: "p".into(), completion: first },
                8 => Command::CompletePromise {
                    key: "p".into(),
                    result: Ok(Bytes::new()),
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
                _ => return vec![called(name, *what, (first, second), world.applied)],
            };
            vec![super::support::command(name, command)]
        }
        Happening::Suspend { pick: at, completion, is_stale } => {
            let Some(name) = pick(world, *at, *is_stale) else { return Vec::new() };
            let seen = u32::from(*completion) % 3;
            vec![suspended(name, (*next_completion).saturating_sub(u32::from(*completion)), seen)]
        }
        Happening::Wait { pick: at, width, combinator } => {
            let Some(attempt) = pick(world, *at, false) else { return Vec::new() };
            let seen = world.tables().invocation(attempt.invocation).unwrap().journal_len;
            let awaiting = wide(*width, *combinator, *next_completion);
            vec![Event::AttemptSuspended { attempt, awaiting, seen }]
        }
        Happening::RunProposed { pick: at, completion } => {
            let Some(attempt) = pick(world, *at, false) else { return Vec::new() };
            let completion = (*next_completion).saturating_sub(u32::from(*completion));
            vec![Event::RunProposed { attempt, completion, result: Ok(Bytes::new()) }]
        }
        Happening::End { pick: at, is_stale } => {
            pick(world, *at, *is_stale).map(ended).into_iter().collect()
        }
        Happening::Fail { pick: at, how, is_stale } => {
            let Some(name) = pick(world, *at, *is_stale) else { return Vec::new() };
            let failure = protocol::TerminalFailure::new(500, "no");
            let next = match how {
                0 => AfterFailure::Pause,
                1 => AfterFailure::Kill(failure),
                2 => AfterFailure::Fail(failure),
                3 => AfterFailure::RetryUnreached { delay_ms: 300, counts: false },
                _ => AfterFailure::Retry { delay_ms: 300, counts: true },
            };
            vec![failed(name, next)]
        }
        Happening::Timers { later_ms } => {
            world.now_ms += u64::from(*later_ms);
            let until = Timestamp(world.now_ms);
            let due = world.tables().timers_due(Timestamp(0), until, 8);
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
        Happening::Kill { id: n } => {
            vec![Event::KillRequested { request: RequestId(1), target: id(u128::from(*n) + 1) }]
        }
        Happening::Acknowledge { sequence } => {
            let sequence = u64::from(*sequence);
            vec![Event::MessagesAcknowledged { by: PartitionId(1), sequence }]
        }
        Happening::Retire { budget_bytes } => {
            let budget_bytes = u64::from(*budget_bytes);
            vec![match budget_bytes % 5 {
                // Yesterday's log may have it among today's rows.
                0 => Event::RetentionDue { budget_bytes, limit: 3 },
                _ => Event::CleanupDue { budget_bytes, limit: 3 },
            }]
        }
        Happening::Later { hours } => {
            world.now_ms += u64::from(*hours) * 3_600_000 * 20;
            Vec::new()
        }
        Happening::Checkpoint => Vec::new(),
    }
}

/// A command as the Attempt proposes it when it names a time.
fn timed(event: Event, delay_ms: u64) -> Event {
    match event {
        Event::CommandProposed { attempt, command, callee } => {
            Event::TimedCommandProposed { attempt, command, callee, delay_ms }
        }
        other => other,
    }
}

/// A tree over the last completions and the signals there are; wide ones are counted and not looked
/// at again.
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

fn rows(world: &mut World) -> Vec<(Vec<u8>, crate::tables::Row)> {
    let tables = world.tables();
    let tables_by_number = (Table::Meta as u8)..=(Table::Early as u8);
    tables_by_number
        .flat_map(|table| tables.scan(&[table], &[table], usize::MAX))
        .map(|(key, row)| (key.to_vec(), row))
        .collect()
}

/// Lives through it all, with or without checkpoints; everything that was emitted and is left.
fn live(
    happenings: &[Happening],
    with_checkpoints: bool,
) -> (Vec<String>, Vec<(Vec<u8>, crate::tables::Row)>) {
    let mut world = World::new(0, 2);
    let (mut effects, mut next_completion) = (Vec::new(), 0);
    for happening in happenings {
        if matches!(happening, Happening::Checkpoint) && with_checkpoints {
            world.checkpoint();
        }
        for event in events(&mut world, happening, &mut next_completion) {
            world.apply(event);
            effects.push(world.effects());
        }
    }
    (effects, rows(&mut world))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// How records are batched and when checkpoints are written is an accident of load: it changes
    /// neither the rows nor the effects, and the same log folds to the same rows.
    #[test]
    fn the_fold_depends_on_the_log_alone(
        happenings in proptest::collection::vec(happening(), 1..80)
    ) {
        let once = live(&happenings, false);
        prop_assert_eq!(&live(&happenings, false), &once);
        prop_assert_eq!(&live(&happenings, true), &once);
    }

    /// What a stale attempt says changes no row and has no effect.
    #[test]
    fn stale_attempts_never_write(happenings in proptest::collection::vec(happening(), 1..80)) {
        let (mut world, mut next_completion) = (World::new(0, 2), 0);
        for happening in &happenings {
            let is_stale = match happening {
                Happening::Command { is_stale, .. }
                | Happening::Suspend { is_stale, .. }
                | Happening::End { is_stale, .. }
                | Happening::Fail { is_stale, .. } => *is_stale,
                _ => false,
            };
            for event in events(&mut world, happening, &mut next_completion) {
                let before = rows(&mut world);
                world.apply(event);
                let effects = world.effects();
                if is_stale {
                    prop_assert_eq!(effects, "");
                    let is_other = |(key, _): &&(Vec<u8>, _)| key[0] != Table::Meta as u8;
                    let after = rows(&mut world);
                    prop_assert!(before.iter().filter(is_other).eq(after.iter().filter(is_other)));
                }
            }
        }
    }

    /// After a crash at any point the rows owe every effect that may have been lost, answers alone
    /// excepted, and nothing else.
    #[test]
    fn the_rows_owe_what_was_lost_and_nothing_else(
        happenings in proptest::collection::vec(happening(), 1..80)
    ) {
        let (mut world, mut next_completion) = (World::new(0, 2), 0);
        let (mut started, mut sent) = (BTreeSet::new(), BTreeSet::new());
        for happening in &happenings {
            for event in events(&mut world, happening, &mut next_completion) {
                if let Event::MessagesAcknowledged { sequence, .. } = event {
                    sent.retain(|known| *known > sequence);
                }
                world.apply(event);
                for effect in std::mem::take(&mut world.effects) {
                    match effect {
                        Effect::StartAttempt(start) => { started.insert(start.attempt); }
                        Effect::Send { sequence, .. } => { sent.insert(sequence); }
                        Effect::ArmTimer { at } => {
                            let next = world.tables().next_timer(Timestamp(0));
                            // Armed, unless it has been taken back within the same record.
                            prop_assert!(next.is_none_or(|next| next <= at) || next > Some(at));
                        }
                        _ => (),
                    }
                }
            }
            started.retain(|name| {
                let row = world.tables().invocation(name.invocation);
                row.is_some_and(|row| row.status == Status::Running { attempt: name.attempt })
            });
            let owed: BTreeSet<_> = running(&mut world).into_iter().collect();
            prop_assert_eq!(&owed, &started);
            for name in &owed {
                let start = obligations::start(&world.tables(), *name);
                let is_owed =
                    matches!(start, Some(Effect::StartAttempt(start)) if start.attempt == *name);
                prop_assert!(is_owed);
            }
            let messages = obligations::messages(&world.tables(), (PartitionId(0), 0), usize::MAX);
            let owed: BTreeSet<_> = messages.iter().map(|(_, effect)| match effect {
                Effect::Send { sequence, .. } => *sequence,
                _ => 0,
            }).collect();
            prop_assert_eq!(&owed, &sent);
        }
    }

    /// The rows agree with each other at every moment.
    #[test]
    fn indexes_locks_and_timers_agree(happenings in proptest::collection::vec(happening(), 1..60)) {
        let (mut world, mut next_completion) = (World::new(0, 2), 0);
        for happening in &happenings {
            for event in events(&mut world, happening, &mut next_completion) {
                world.apply(event);
            }
            let mut tables = world.tables();
            let kinds = [
                StatusKind::Scheduled, StatusKind::Inboxed, StatusKind::Running,
                StatusKind::BackingOff, StatusKind::Suspended, StatusKind::Paused,
                StatusKind::Completed,
            ];
            let mut indexed = 0;
            for kind in kinds {
                for lsn in tables.by_status(kind, Lsn(0), usize::MAX) {
                    let row = tables.invocation(lsn);
                    prop_assert_eq!(row.map(|row| row.status.kind()), Some(kind));
                    indexed += 1;
                }
            }
            let prefix = [Table::Invocation as u8];
            prop_assert_eq!(tables.scan(&prefix, &prefix, usize::MAX).len(), indexed);
            for key in ["even", "odd"] {
                let prefix = Table::Inbox.key().bytes(b"Counter").bytes(key.as_bytes()).done();
                let queued = tables.scan(&prefix, &prefix, usize::MAX).len();
                match tables.object("Counter", key) {
                    Some(object) => {
                        prop_assert_eq!(object.queued as usize, queued);
                        let holder = tables.invocation(object.holder).map(|row| row.status.kind());
                        let holds = holder.is_some_and(|kind| {
                            kind != StatusKind::Completed && kind != StatusKind::Inboxed
                        });
                        prop_assert!(holds);
                    }
                    None => prop_assert_eq!(queued, 0),
                }
            }
            for timer in tables.timers_due(Timestamp(0), Timestamp(u64::MAX), usize::MAX) {
                let row = tables.invocation(timer.invocation).map(|row| row.status.kind());
                prop_assert!(row.is_some_and(|kind| kind != StatusKind::Completed));
            }
        }
    }

    /// Nobody sleeps through what he waits for: whoever is suspended is so by a look at all rows, too,
    /// whatever was counted on the way.
    #[test]
    fn whoever_is_suspended_has_a_reason(
        happenings in proptest::collection::vec(happening(), 1..80)
    ) {
        let (mut world, mut next_completion) = (World::new(0, 2), 0);
        for happening in &happenings {
            for event in events(&mut world, happening, &mut next_completion) {
                world.apply(event);
            }
            let tables = world.tables();
            for lsn in tables.by_status(StatusKind::Suspended, Lsn(0), usize::MAX) {
                let status = tables.invocation(lsn).map(|row| row.status);
                let Some(Status::Waiting(WaitingFor::Notification { awaiting, seen })) = status else {
                    panic!("{status:?}")
                };
                let is_resolved = awaiting.is_resolved(&mut |id| tables.outcome(lsn, id, seen));
                prop_assert!(!is_resolved, "{lsn:?} sleeps on {awaiting:?}");
            }
        }
    }

    /// What is kept is what is counted, and what was promised is kept until its time.
    #[test]
    fn retention_counts_what_it_keeps_and_keeps_what_was_promised(
        happenings in proptest::collection::vec(happening(), 1..120)
    ) {
        let (mut world, mut next_completion) = (World::new(0, 2), 0);
        for happening in &happenings {
            for event in events(&mut world, happening, &mut next_completion) {
                let before = completed(&world.tables());
                let is_cleanup = matches!(event, Event::CleanupDue { .. });
                world.apply(event);
                let tables = world.tables();
                let now = tables.meta().stamp.at();
                for (lsn, row, expires_at) in before.iter().filter(|_| is_cleanup) {
                    let is_promised = row.idempotency_key.is_some()
                        || row.handler_kind == HandlerKind::Workflow;
                    let is_there = tables.invocation(*lsn).is_some();
                    prop_assert!(is_there || !is_promised || *expires_at <= now);
                }
            }
            let tables = world.tables();
            let kept = completed(&tables);
            let counted: u64 = kept.iter().map(|(lsn, row, expires_at)| {
                let key = Table::Expiry.key().u64(expires_at.0).lsn(*lsn).u8(2).done();
                let rows = match tables.get(&key) {
                    Some(Row::Retained(bytes)) => bytes,
                    Some(Row::Unit) => ROWS_BYTES,
                    other => panic!("{other:?}"),
                };
                rows + row.journal_bytes
            }).sum();
            prop_assert_eq!(tables.retained().bytes, counted);
            // Each may go early in exactly one way, if it may at all.
            let early = Table::Early.key().done();
            let may_go = tables.scan(&early, &early, usize::MAX).len();
            let expected = kept.iter().filter(|(_, row, _)| {
                let is_promised =
                    row.idempotency_key.is_some() || row.handler_kind == HandlerKind::Workflow;
                row.journal_len > 0 || !is_promised
            });
            prop_assert_eq!(may_go, expected.count());
        }
    }

    /// Whatever waits has somebody it waits for, and every promise has an end.
    #[test]
    fn what_waits_and_what_is_promised_has_an_end(
        happenings in proptest::collection::vec(happening(), 1..80)
    ) {
        let (mut world, mut next_completion) = (World::new(0, 2), 0);
        for happening in &happenings {
            for event in events(&mut world, happening, &mut next_completion) {
                world.apply(event);
            }
            let tables = world.tables();
            let all = |table: Table| {
                let prefix = table.key().done();
                tables.scan(&prefix, &prefix, usize::MAX)
            };
            let waits = |lsn, completion, kind| matches!(
                tables.completion(lsn, completion),
                Some(CompletionState::Pending { kind: expected, .. }) if expected == kind
            );
            for (key, row) in all(Table::Waiter) {
                let Row::Waiter(waiter) = row else { panic!("{row:?}") };
                prop_assert!(waits(waiter.invocation, waiter.completion, waiter.kind), "{key:?}");
            }
            let ends: Vec<_> = all(Table::Expiry).into_iter().filter_map(|(_, row)| match row {
                Row::PromiseName(name) => Some((name.key.clone(), name.name.clone())),
                _ => None,
            }).collect();
            for (key, row) in all(Table::Promise) {
                let mut reader = crate::tables::key::KeyReader::new(&key);
                let (_, workflow_key) = (reader.bytes(), reader.bytes().unwrap());
                let workflow_key = String::from_utf8(workflow_key).unwrap();
                let has_end = ends.iter().any(|(key, _)| *key == workflow_key);
                let runs = all(Table::Invocation).into_iter().any(|(_, row)| matches!(
                    row,
                    Row::Invocation(row) if row.handler_kind == HandlerKind::Workflow
                        && row.target.key == workflow_key
                ));
                prop_assert!(has_end || runs, "{workflow_key} is promised something for ever");
                let Row::Promise(promise) = row else { panic!("{row:?}") };
                if let Promise::Pending(waiting) = *promise {
                    for (lsn, completion) in waiting {
                        prop_assert!(waits(lsn, completion, NotificationKind::GetPromise));
                    }
                }
            }
        }
    }
}

/// Finished invocations that are kept, and until when.
fn completed(tables: &Tables<'_>) -> Vec<(Lsn, Box<Invocation>, Timestamp)> {
    let lsns = tables.by_status(StatusKind::Completed, Lsn(0), usize::MAX);
    lsns.into_iter()
        .filter_map(|lsn| {
            let row = tables.invocation(lsn)?;
            let Status::Completed { completion, .. } = &row.status else { return None };
            let expires_at = completion.expires_at?;
            Some((lsn, row, expires_at))
        })
        .collect()
}
