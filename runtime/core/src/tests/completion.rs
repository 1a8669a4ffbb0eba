//! Calls, attaches and their answers, on one partition.

use bytes::Bytes;
use protocol::{
    HandlerKind, ServiceKind,
    ids::Derivation,
    journal::{CallRequest, Command, InvocationTarget},
};

use super::support::*;
use crate::{
    event::Event,
    model::invocation::{AfterFailure, Callee, Retention},
};

fn request() -> CallRequest {
    CallRequest {
        service: "Counter".into(),
        handler: "add".into(),
        key: "k".into(),
        parameter: Bytes::from("1"),
        headers: Vec::new(),
        idempotency_key: None,
        scope: None,
        limit_key: None,
    }
}

fn callee(n: u128) -> Option<Callee> {
    Some(Callee {
        id: id(n),
        service_kind: ServiceKind::VirtualObject,
        handler_kind: HandlerKind::Exclusive,
        retention: Retention { completion_ms: 1000, journal_ms: 0 },
        random_seed: 1,
    })
}

#[test]
fn a_call_hears_the_callees_id_and_then_its_answer() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let caller = attempt(created, created);
    let call =
        Command::Call { request: request(), invocation_id_completion: 1, result_completion: 2 };
    let called = fixture.apply(command_for(caller, call, callee(2)));
    fixture.effects();
    let name = attempt(called, called);
    fixture.apply(output(name, "2"));
    fixture.apply(ended(name));
    assert_eq!(
        fixture.effects(),
        "completed b\"2\"\nexpiry 1004\nnotify 1@1 [3] Call c2"
            .replace("1004", &(fixture.now_ms + 1000).to_string())
    );
}

#[test]
fn a_delayed_send_waits_before_it_queues() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let caller = attempt(created, created);
    let send = Command::OneWayCall {
        request: request(),
        invoke_time_ms: 9000,
        invocation_id_completion: 1,
    };
    let sent = fixture.apply(command_for(caller, send, callee(2)));
    assert!(fixture.effects().ends_with("timer 9000"));
    assert!(fixture.tables().object("Counter", "k").is_none());
    fixture.now_ms = 9000;
    fixture.apply(timer(9000, sent, 0));
    assert!(fixture.effects().starts_with("start 2@3 Counter/k/add"));
}

/// A name resolves to the same id that the edges derive from it.
#[test]
fn attach_by_name_follows_the_rule_of_the_data_directory() {
    for derivation in [Derivation::Plain, Derivation::Secret([7; 32])] {
        let mut fixture = Fixture::single();
        fixture.partition.derivation = derivation;
        let mut run = call_workflow(1, "o-1");
        run.id = derivation.workflow(None, "Order", "o-1");
        let mut once = call(2);
        once.id = derivation.idempotency_key(None, "Greeter", "", "greet", "k");
        let found = [fixture.apply(invoked(run)), fixture.apply(invoked(once))];
        let watcher = fixture.apply(invoked(call(3)));
        let name = attempt(watcher, watcher);
        let workflow =
            InvocationTarget::Workflow { name: "Order".into(), key: "o-1".into(), scope: None };
        let idempotent = InvocationTarget::Idempotent {
            service: "Greeter".into(),
            key: String::new(),
            handler: "greet".into(),
            idempotency_key: "k".into(),
            scope: None,
        };
        for (completion, target) in [(1, workflow), (2, idempotent)] {
            fixture.apply(command(name, Command::AttachInvocation { target, completion }));
        }
        fixture.effects();
        for created in found {
            let callee = attempt(created, created);
            fixture.apply(output(callee, "x"));
            fixture.apply(ended(callee));
        }
        let effects = fixture.effects();
        assert!(effects.contains("AttachInvocation c1"), "{derivation:?}: {effects}");
        assert!(effects.contains("AttachInvocation c2"), "{derivation:?}: {effects}");
    }
}

#[test]
fn attach_waits_and_output_only_looks() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let watcher = fixture.apply(invoked(call(2)));
    let name = attempt(watcher, watcher);
    fixture.effects();
    let target = || InvocationTarget::Id(id(1).to_string());
    let look = Command::GetInvocationOutput { target: target(), completion: 1 };
    fixture.apply(command(name, look));
    let attach = Command::AttachInvocation { target: target(), completion: 2 };
    fixture.apply(command(name, attach));
    let nobody = InvocationTarget::Id(id(77).to_string());
    fixture.apply(command(name, Command::AttachInvocation { target: nobody, completion: 3 }));
    assert_eq!(
        fixture.effects(),
        "notify 2@2 [2] GetInvocationOutput c1\nnotify 2@2 [5] AttachInvocation c3"
    );
    let first = attempt(created, created);
    fixture.apply(output(first, "x"));
    fixture.apply(ended(first));
    assert!(fixture.effects().ends_with("notify 2@2 [6] AttachInvocation c2"));
}

/// The overlay's size triggers checkpoints, so it must account for a result stored in a row that
/// was small before.
#[test]
fn an_overlay_counts_results_and_failures() {
    let mut fixture = Fixture::new(0, 2);
    let created = fixture.apply(invoked(call(1)));
    let name = attempt(created, created);
    let before = fixture.live.size_bytes();
    let mut event = failed(name, AfterFailure::Retry { delay_ms: 0, counts: true });
    let Event::AttemptFailedOn { failure, .. } = &mut event else { unreachable!("it is one") };
    (failure.message, failure.stacktrace) = ("y".repeat(5_000), "x".repeat(30_000));
    fixture.apply(event);
    assert!(fixture.live.size_bytes() > before + 35_000);
    let retried = fixture.apply(timer(fixture.now_ms, created, 0));
    let name = attempt(created, retried);
    let value: &'static str = String::leak("z".repeat(100_000));
    fixture.apply(output(name, value));
    let before = fixture.live.size_bytes();
    fixture.apply(ended(name));
    assert!(fixture.live.size_bytes() > before + 60_000, "its failure has gone");
    assert_eq!(fixture.live.size_bytes(), fixture.live.size_of_all());
}
