//! Virtual objects, idempotency and workflows.

use bytes::Bytes;
use protocol::{TerminalFailure, ids::Derivation, journal::Command};

use super::support::*;
use crate::{
    event::Event,
    model::{
        ids::RequestId,
        invocation::{Source, StatusKind},
    },
};

#[test]
fn writers_of_a_key_take_turns_in_order_of_arrival() {
    let mut fixture = Fixture::single();
    let first = fixture.apply(invoked(call_object(1, "k")));
    fixture.apply(invoked(call_object(2, "k")));
    fixture.apply(invoked(call_object(3, "k")));
    let other = fixture.apply(invoked(call_object(4, "other")));
    assert_eq!(
        fixture.effects(),
        "start 1@1 Counter/k/add entries=1 state=[] retries=0\n\
         start 4@4 Counter/other/add entries=1 state=[] retries=0"
    );
    let name = attempt(first, first);
    let set = Command::SetState { key: Bytes::from("n"), value: Bytes::from("1") };
    fixture.apply(command(name, set));
    fixture.apply(output(name, "x"));
    fixture.apply(ended(name));
    assert!(fixture.effects().contains("start 2@7 Counter/k/add entries=1 state=[b\"n\"]"));
    // The third is cancelled before it starts, and leaves the queue.
    fixture.apply(Event::CancelRequested { request: RequestId(9), target: id(3) });
    assert!(fixture.effects().contains("failed 409 canceled"));
    let object = fixture.tables().object("Counter", "k").unwrap();
    assert_eq!((object.holder.0, object.queued), (2, 0));
    assert_eq!(fixture.tables().object("Counter", "other").unwrap().holder, other);
}

#[test]
fn state_stays_when_the_handler_fails() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call_object(1, "k")));
    let name = attempt(created, created);
    let set = Command::SetState { key: Bytes::from("n"), value: Bytes::from("1") };
    fixture.apply(command(name, set));
    let failure = TerminalFailure::new(418, "no");
    fixture.apply(command(name, Command::Output { result: Err(failure) }));
    fixture.apply(ended(name));
    assert!(fixture.effects().contains("failed 418 no"));
    assert_eq!(fixture.tables().state("Counter", "k", b"n"), Some(Bytes::from("1")));
    assert!(fixture.tables().object("Counter", "k").is_none());
}

#[test]
fn the_same_idempotency_key_is_the_same_invocation_until_it_expires() {
    let mut fixture = Fixture::single();
    let derived = Derivation::Plain.idempotency_key(None, "Greeter", "", "greet", "k");
    let mut invoke = call(1);
    invoke.id = derived;
    let again = |request| {
        let mut invoke = invoke.clone();
        invoke.source = Source::IngressCall { request: RequestId(request) };
        invoked(invoke)
    };
    let created = fixture.apply(again(1));
    fixture.apply(again(2));
    let name = attempt(created, created);
    fixture.apply(output(name, "once"));
    fixture.effects();
    fixture.apply(ended(name));
    assert_eq!(fixture.effects(), "completed b\"once\"\nexpiry 61004");
    fixture.apply(again(3));
    assert_eq!(fixture.effects(), "answer 3 stored Ok(b\"once\")");
    // Expiry is exact, whether or not anything has been removed yet.
    fixture.now_ms = 61_003;
    let fresh = fixture.apply(again(4));
    assert!(fixture.effects().starts_with(&format!("start {0}@{0}", fresh.0)));
    assert!(fixture.tables().invocation(created).is_none());
}

#[test]
fn a_workflow_runs_once_for_each_key() {
    let mut fixture = Fixture::single();
    let mut invoke = call_workflow(1, "o-1");
    invoke.id = Derivation::Plain.workflow(None, "Order", "o-1");
    let created = fixture.apply(invoked(invoke.clone()));
    invoke.source = Source::IngressCall { request: RequestId(2) };
    fixture.apply(invoked(invoke.clone()));
    invoke.source = Source::IngressSend { request: RequestId(3) };
    fixture.apply(invoked(invoke));
    assert_eq!(
        fixture.effects(),
        "start 1@1 Order/o-1/run entries=1 state=[] retries=0\n\
         answer 2 already invoked\n\
         answer 3 accepted duplicate=true"
    );
    assert_eq!(fixture.tables().invocation(created).unwrap().status.kind(), StatusKind::Running);
}

#[test]
fn a_promise_is_completed_once_and_wakes_who_waits() {
    let mut fixture = Fixture::single();
    let run = fixture.apply(invoked(call_workflow(1, "o-1")));
    let runner = attempt(run, run);
    let get = Command::GetPromise { key: "p".into(), completion: 1 };
    fixture.apply(command(runner, get));
    fixture.apply(suspended(runner, 1, 1));
    let mut shared = call_workflow(2, "o-1");
    shared.handler_kind = protocol::HandlerKind::Shared;
    let signal = fixture.apply(invoked(shared));
    let signaller = attempt(signal, signal);
    fixture.effects();
    let complete = |completion| Command::CompletePromise {
        key: "p".into(),
        result: Ok(Bytes::from("v")),
        completion,
    };
    fixture.apply(command(signaller, complete(1)));
    assert_eq!(
        fixture.effects(),
        "notify 4@4 [2] CompletePromise c1\n\
         start 1@5 Order/o-1/run entries=3 state=[] retries=0"
    );
    fixture.apply(command(signaller, complete(2)));
    let refused = fixture.tables().journal_entry(signal, 4).unwrap();
    let refused = protocol::wire::notification::decode(&refused.entry).unwrap();
    assert!(format!("{:?}", refused.result).contains("409"));
}

#[test]
fn signals_before_the_first_attempt_are_kept() {
    use protocol::journal::{NotificationResult, notification::SignalId};
    let mut fixture = Fixture::single();
    fixture.apply(invoked(call_object(1, "k")));
    fixture.apply(invoked(call_object(2, "k")));
    fixture.apply(Event::SignalReceived {
        target: id(2),
        signal: SignalId::Name("go".into()),
        result: NotificationResult::Void,
    });
    let name = attempt(crate::Lsn(1), crate::Lsn(1));
    fixture.apply(output(name, "x"));
    fixture.effects();
    fixture.apply(ended(name));
    assert!(fixture.effects().contains("start 2@5 Counter/k/add entries=2"));
}
