//! Broken rows are detected, each with a message that says what is wrong.

use protocol::journal::{NotificationResult, notification::SignalId};

use super::support::*;
use crate::{
    event::Event,
    invariants,
    model::{
        ids::Lsn,
        invocation::{Status, StatusKind},
        timer::TimerKey,
    },
    tables::{
        Tables,
        completion::{CompletionState, Delivery},
        expiry::Expiring,
        journal::JournalEntry,
    },
    time::Timestamp,
};

/// An invocation that holds the lock of an object and sleeps, one that waits for the lock, and one
/// that has ended.
fn fixture() -> (Fixture, Lsn, Lsn, u64) {
    let mut fixture = Fixture::single();
    let ended_one = fixture.apply(invoked(call(1)));
    let name = attempt(ended_one, ended_one);
    fixture.apply(output(name, "x"));
    fixture.apply(ended(name));
    let holder = fixture.apply(invoked(call_object(2, "k")));
    fixture.apply(invoked(call_object(3, "k")));
    let until_ms = fixture.now_ms + 700;
    fixture.apply(command(attempt(holder, holder), sleep(until_ms, 1)));
    (fixture, ended_one, holder, until_ms)
}

#[test]
fn rows_as_they_are_made_are_whole() {
    let (mut fixture, ..) = fixture();
    assert_eq!(invariants::check(&fixture.tables()), Ok(()));
    assert_eq!(invariants::check_since(&fixture.tables(), Timestamp(0)), Ok(()));
}

/// Breaks the rows and returns the violation that is found.
fn broken(breaking: impl FnOnce(&mut Tables<'_>, Lsn, Lsn, u64)) -> String {
    let (mut fixture, ended_one, holder, until_ms) = fixture();
    breaking(&mut fixture.tables(), ended_one, holder, until_ms);
    invariants::check(&fixture.tables()).unwrap_err()
}

#[test]
fn what_is_broken_is_told() {
    let lock = broken(|tables, _, _, _| tables.delete_object("Counter", "k"));
    assert!(lock.contains("without the lock"), "{lock}");
    let index = broken(|tables, _, holder, _| tables.unindex_status(StatusKind::Running, holder));
    assert!(index.contains("not indexed by status"), "{index}");
    let timer = broken(|tables, _, holder, until_ms| {
        let (at, completion) = (Timestamp(until_ms), 1);
        tables.delete_timer(&TimerKey { at, invocation: holder, completion });
    });
    assert!(timer.contains("has no timer"), "{timer}");
    let answered = broken(|tables, _, holder, _| {
        let Some(CompletionState::Pending { kind, .. }) = tables.completion(holder, 1) else {
            panic!("it sleeps")
        };
        let state = CompletionState::Pending { kind, timer: None };
        tables.put_completion(holder, 1, state);
    });
    assert!(answered.contains("no invocation waits for the timer"), "{answered}");
    let more = broken(|tables, _, holder, _| {
        let entry = tables.journal_entry(holder, 1).unwrap().entry;
        tables.append_journal(holder, 2, JournalEntry { at: Timestamp(0), entry });
    });
    assert!(more.contains("more than 2 entries"), "{more}");
    let missing = broken(|tables, _, holder, _| tables.delete_journal(holder, 1));
    assert!(missing.contains("entry 0 is missing"), "{missing}");
    let bytes = broken(|tables, _, _, _| tables.meta_mut().retained_bytes += 1);
    assert!(bytes.contains("finished invocations occupy"), "{bytes}");
    let kept = broken(|tables, ended_one, _, _| {
        let (at, lsn, what) = tables.next_expiry(Timestamp(0)).unwrap();
        assert_eq!(lsn, ended_one);
        tables.delete_expiry(at, lsn, what);
    });
    assert!(kept.contains("is never removed"), "{kept}");
    let queue = broken(|tables, _, _, _| {
        let mut object = tables.object("Counter", "k").unwrap();
        object.queued += 1;
        tables.put_object("Counter", "k", object);
    });
    assert!(queue.contains("wait for"), "{queue}");
}

/// The deliveries of a signal must point at matching journal entries.
#[test]
fn deliveries_that_the_journal_does_not_have_are_told() {
    let broken = |index, failed| {
        let (mut fixture, _, holder, _) = fixture();
        let signal = SignalId::Name("go".into());
        fixture.apply(Event::SignalReceived {
            target: id(2),
            signal: signal.clone(),
            result: NotificationResult::Void,
        });
        assert_eq!(invariants::check(&fixture.tables()), Ok(()));
        fixture.tables().add_delivery(holder, &signal, Delivery { index, failed });
        invariants::check(&fixture.tables()).unwrap_err()
    };
    // Nothing but the value at 2 has arrived.
    assert!(broken(3, true).contains("there is no notification at 3"), "{}", broken(3, true));
    assert!(broken(1, true).contains("there is no notification at 1"), "{}", broken(1, true));
    assert!(broken(2, true).contains("has the other outcome"), "{}", broken(2, true));
}

#[test]
fn what_may_go_early_and_is_not_named_is_told() {
    let unnamed = broken(|tables, ended_one, _, _| {
        let (lsn, what) = tables.next_early().unwrap();
        assert_eq!((lsn, what), (ended_one, Expiring::Journal));
        let invocation = tables.invocation(lsn).unwrap();
        let Status::Completed { at, .. } = invocation.status else { panic!("it has ended") };
        tables.delete_early(what, at, lsn);
    });
    assert!(unnamed.contains("has no row for early removal"), "{unnamed}");
}
