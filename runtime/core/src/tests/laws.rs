//! What holds for every sequence of events, sensible or not.

#![expect(clippy::wildcard_enum_match_arm, reason = "a law is about some effects, not all")]

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;
use protocol::{
    HandlerKind, ServiceKind,
    journal::{CallRequest, Command, NotificationResult, notification::SignalId},
};

use super::support::*;
use crate::{
    Lsn, PartitionId,
    effect::Effect,
    event::{AfterFailure, AttemptRef, Callee, Event, RequestId, Retention},
    invariants, obligations,
    tables::{
        Table,
        invocation::{Status, StatusKind},
    },
    time::Timestamp,
};

/// Something that may happen; which invocation and attempt it is about depends on what there is.
#[derive(Debug, Clone)]
enum Happening {
    Invoke { id: u8, kind: u8 },
    Command { pick: u8, what: u8, is_stale: bool },
    Suspend { pick: u8, completion: u8, is_stale: bool },
    End { pick: u8, is_stale: bool },
    Fail { pick: u8, how: u8, is_stale: bool },
    Timers { later_ms: u16 },
    Signal { id: u8 },
    Cancel { id: u8 },
    Kill { id: u8 },
    Acknowledge { sequence: u8 },
    Retire,
    Checkpoint,
}

fn happening() -> impl Strategy<Value = Happening> {
    let stale = || prop::bool::weighted(0.15);
    prop_oneof![
        4 => (0..8u8, 0..6u8).prop_map(|(id, kind)| Happening::Invoke { id, kind }),
        8 => (any::<u8>(), 0..14u8, stale())
            .prop_map(|(pick, what, is_stale)| Happening::Command { pick, what, is_stale }),
        3 => (any::<u8>(), 1..6u8, stale())
            .prop_map(|(pick, completion, is_stale)| Happening::Suspend { pick, completion, is_stale }),
        4 => (any::<u8>(), stale()).prop_map(|(pick, is_stale)| Happening::End { pick, is_stale }),
        2 => (any::<u8>(), 0..4u8, stale())
            .prop_map(|(pick, how, is_stale)| Happening::Fail { pick, how, is_stale }),
        3 => (0..3000u16).prop_map(|later_ms| Happening::Timers { later_ms }),
        2 => (0..8u8).prop_map(|id| Happening::Signal { id }),
        1 => (0..8u8).prop_map(|id| Happening::Cancel { id }),
        1 => (0..8u8).prop_map(|id| Happening::Kill { id }),
        1 => (0..6u8).prop_map(|sequence| Happening::Acknowledge { sequence }),
        1 => Just(Happening::Retire),
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
                _ => {
                    let mut delayed = call_object(n, key);
                    delayed.start_at = Some(Timestamp(world.now_ms + 500));
                    delayed
                }
            };
            if kind % 2 == 0 {
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
                5 => Command::Sleep { wake_up_time_ms: world.now_ms + 700, completion: first },
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
        Happening::Signal { id: n } => vec![Event::SignalReceived {
            target: id(u128::from(*n) + 1),
            signal: SignalId::Index(17),
            result: NotificationResult::Value(Bytes::from("s")),
        }],
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
        Happening::Retire => vec![Event::RetentionDue { budget_bytes: 3000, limit: 3 }],
        Happening::Checkpoint => Vec::new(),
    }
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
    let tables_by_number = (Table::Meta as u8)..=(Table::Deployment as u8);
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

    /// The invariants hold after each record, whatever it says.
    #[test]
    fn the_invariants_hold_after_each_record(
        happenings in proptest::collection::vec(happening(), 1..80)
    ) {
        let (mut world, mut next_completion) = (World::new(0, 2), 0);
        for happening in &happenings {
            for event in events(&mut world, happening, &mut next_completion) {
                world.apply(event.clone());
                let checked = invariants::check(&world.tables());
                prop_assert_eq!(checked, Ok(()), "after {:?}", event);
                let since = invariants::check_since(&world.tables(), Timestamp(0));
                prop_assert_eq!(since, Ok(()));
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
            let tables = world.tables();
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
}
