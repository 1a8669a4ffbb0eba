//! Properties that hold for every sequence of events, valid or not.

#![expect(clippy::wildcard_enum_match_arm, reason = "a law is about some effects, not all")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use protocol::{HandlerKind, journal::NotificationKind};

use super::{
    happenings::{Happening, events, happening, running},
    support::*,
};
use crate::{
    effect::Effect,
    event::Event,
    invariants,
    model::{
        ids::{Lsn, PartitionId},
        invocation::{Invocation, Status, StatusKind, WaitingFor},
    },
    obligations,
    tables::{
        Row, Table, Tables, completion::CompletionState, expiry::ROWS_BYTES, promise::Promise,
        walk::Budget,
    },
    time::Timestamp,
};

fn rows(fixture: &mut Fixture) -> Vec<(Vec<u8>, crate::tables::Row)> {
    let tables = fixture.tables();
    let tables_by_number = (Table::Meta as u8)..=(Table::WaitingEdit as u8);
    tables_by_number
        .flat_map(|table| tables.scan(&[table], &[table], usize::MAX))
        .map(|(key, row)| (key.to_vec(), row))
        .collect()
}

/// Applies all happenings, with or without checkpoints; returns the effects and the final rows.
fn live(
    happenings: &[Happening],
    with_checkpoints: bool,
) -> (Vec<String>, Vec<(Vec<u8>, crate::tables::Row)>) {
    let mut fixture = Fixture::new(0, 2);
    let (mut effects, mut next_completion) = (Vec::new(), 0);
    for happening in happenings {
        if matches!(happening, Happening::Checkpoint) && with_checkpoints {
            fixture.checkpoint();
        }
        for event in events(&mut fixture, happening, &mut next_completion) {
            fixture.apply(event);
            effects.push(fixture.effects());
        }
    }
    (effects, rows(&mut fixture))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// When checkpoints are written depends on load: it affects neither the rows nor the effects,
    /// and the same log always folds to the same rows.
    #[test]
    fn the_fold_depends_on_the_log_alone(
        happenings in proptest::collection::vec(happening(), 1..80)
    ) {
        let once = live(&happenings, false);
        prop_assert_eq!(&live(&happenings, false), &once);
        prop_assert_eq!(&live(&happenings, true), &once);
    }

    /// What a stale attempt proposes changes no rows and has no effects.
    #[test]
    fn stale_attempts_never_write(happenings in proptest::collection::vec(happening(), 1..80)) {
        let (mut fixture, mut next_completion) = (Fixture::new(0, 2), 0);
        for happening in &happenings {
            let is_stale = match happening {
                Happening::Command { is_stale, .. }
                | Happening::Suspend { is_stale, .. }
                | Happening::End { is_stale, .. }
                | Happening::Fail { is_stale, .. } => *is_stale,
                _ => false,
            };
            for event in events(&mut fixture, happening, &mut next_completion) {
                let before = rows(&mut fixture);
                fixture.apply(event);
                let effects = fixture.effects();
                if is_stale {
                    prop_assert_eq!(effects, "");
                    let is_other = |(key, _): &&(Vec<u8>, _)| key[0] != Table::Meta as u8;
                    let after = rows(&mut fixture);
                    prop_assert!(before.iter().filter(is_other).eq(after.iter().filter(is_other)));
                }
            }
        }
    }

    /// The invariants hold after each record, whatever it contains.
    #[test]
    fn the_invariants_hold_after_each_record(
        happenings in proptest::collection::vec(happening(), 1..80)
    ) {
        let (mut fixture, mut next_completion) = (Fixture::new(0, 2), 0);
        for happening in &happenings {
            for event in events(&mut fixture, happening, &mut next_completion) {
                fixture.apply(event.clone());
                let checked = invariants::check(&fixture.tables());
                prop_assert_eq!(checked, Ok(()), "after {:?}", event);
                prop_assert_eq!(fixture.live.size_bytes(), fixture.live.size_of_all());
                let since = invariants::check_since(&fixture.tables(), Timestamp(0));
                prop_assert_eq!(since, Ok(()));
            }
        }
    }

    /// After a crash at any point, the obligations in the rows cover every effect that may have
    /// been lost, except answers, and nothing else.
    #[test]
    fn the_rows_owe_what_was_lost_and_nothing_else(
        happenings in proptest::collection::vec(happening(), 1..80)
    ) {
        let (mut fixture, mut next_completion) = (Fixture::new(0, 2), 0);
        let (mut started, mut sent) = (BTreeSet::new(), BTreeSet::new());
        let mut due = BTreeSet::new();
        for happening in &happenings {
            for event in events(&mut fixture, happening, &mut next_completion) {
                if let Event::MessagesAcknowledged { sequence, .. } = event {
                    sent.retain(|known| *known > sequence);
                }
                fixture.apply(event);
                for effect in std::mem::take(&mut fixture.effects) {
                    match effect {
                        Effect::StartAttempt(start) => { started.insert(start.attempt); }
                        Effect::OfferAttempt { attempt } => { started.insert(attempt); }
                        Effect::Send { sequence, .. } => { sent.insert(sequence); }
                        Effect::ResultDue { of } => { due.insert(of); }
                        Effect::ArmTimer { at } => {
                            let next = fixture.tables().next_timer(Timestamp(0));
                            // Armed, unless the timer was deleted again within the same record.
                            prop_assert!(next.is_none_or(|next| next <= at) || next > Some(at));
                        }
                        _ => (),
                    }
                }
            }
            started.retain(|name| {
                let row = fixture.tables().invocation(name.invocation);
                row.is_some_and(|row| row.status == Status::Running { attempt: name.attempt })
            });
            let owed: BTreeSet<_> = running(&mut fixture).into_iter().collect();
            prop_assert_eq!(&owed, &started);
            for name in &owed {
                let start = obligations::start(&fixture.tables(), *name);
                let is_owed =
                    matches!(start, Some(Effect::StartAttempt(start)) if start.attempt == *name);
                prop_assert!(is_owed);
            }
            let all = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };
            let (messages, rest) =
                obligations::messages_to(&fixture.tables(), PartitionId(1), 0, all);
            prop_assert_eq!(rest, None);
            let owed: BTreeSet<_> = messages.into_iter().map(|(sequence, _)| sequence).collect();
            prop_assert_eq!(&owed, &sent);
            let owed = obligations::results(&fixture.tables());
            due.retain(|of| owed.contains(of));
            prop_assert_eq!(owed.into_iter().collect::<BTreeSet<_>>(), due.clone());
        }
    }

    /// The rows are consistent with each other at all times.
    #[test]
    fn indexes_locks_and_timers_agree(happenings in proptest::collection::vec(happening(), 1..60)) {
        let (mut fixture, mut next_completion) = (Fixture::new(0, 2), 0);
        for happening in &happenings {
            for event in events(&mut fixture, happening, &mut next_completion) {
                fixture.apply(event);
            }
            let mut tables = fixture.tables();
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

    /// No invocation misses what it waits for: if it is suspended, its tree is also unresolved when
    /// evaluated from all rows, whatever the incremental evaluation concluded.
    #[test]
    fn a_suspended_invocation_has_a_reason(
        happenings in proptest::collection::vec(happening(), 1..80)
    ) {
        let (mut fixture, mut next_completion) = (Fixture::new(0, 2), 0);
        for happening in &happenings {
            for event in events(&mut fixture, happening, &mut next_completion) {
                fixture.apply(event);
            }
            let tables = fixture.tables();
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

    /// What is kept matches what is counted, and promised results are kept until they expire.
    #[test]
    fn retention_counts_what_it_keeps_and_keeps_what_was_promised(
        happenings in proptest::collection::vec(happening(), 1..120)
    ) {
        let (mut fixture, mut next_completion) = (Fixture::new(0, 2), 0);
        for happening in &happenings {
            for event in events(&mut fixture, happening, &mut next_completion) {
                let before = completed(&fixture.tables());
                let is_cleanup = matches!(event, Event::CleanupDue { .. });
                fixture.apply(event);
                let tables = fixture.tables();
                let now = tables.meta().stamp.at();
                for (lsn, row, expires_at) in before.iter().filter(|_| is_cleanup) {
                    let is_promised = row.idempotency_key.is_some()
                        || row.handler_kind == HandlerKind::Workflow;
                    let is_there = tables.invocation(*lsn).is_some();
                    prop_assert!(is_there || !is_promised || *expires_at <= now);
                }
            }
            let tables = fixture.tables();
            let kept = completed(&tables);
            let counted: u64 = kept.iter().map(|(lsn, row, expires_at)| {
                let key = Table::Expiry.key().u64(expires_at.0).lsn(*lsn).u8(2).done();
                let rows = match tables.get(&key) {
                    Some(Row::Retained(bytes)) => bytes,
                    Some(Row::Unit) => ROWS_BYTES,
                    other => panic!("{other:?}"),
                };
                rows + row.journal_bytes + row.incident_bytes
            }).sum();
            prop_assert_eq!(tables.retained().bytes, counted);
            // Each has exactly one row for early removal, if any.
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

    /// Every waiter has a matching pending completion, and every promise is removed eventually.
    #[test]
    fn what_waits_and_what_is_promised_has_an_end(
        happenings in proptest::collection::vec(happening(), 1..80)
    ) {
        let (mut fixture, mut next_completion) = (Fixture::new(0, 2), 0);
        for happening in &happenings {
            for event in events(&mut fixture, happening, &mut next_completion) {
                fixture.apply(event);
            }
            let tables = fixture.tables();
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
                // A result that is being passed on passes over who has ended meanwhile.
                let of = crate::tables::key::KeyReader::new(&key).lsn().unwrap();
                let is_due = tables.shared_result(of).is_some();
                let is_there = waits(waiter.invocation, waiter.completion, waiter.kind);
                prop_assert!(is_there || is_due, "{key:?}");
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

/// Finished invocations that are kept, each with its expiry time.
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
