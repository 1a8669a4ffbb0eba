//! Calls, attaches and their answers, on one partition.

use bytes::Bytes;
use protocol::{
    HandlerKind, ServiceKind,
    journal::{CallRequest, Command, InvocationTarget},
};

use super::support::*;
use crate::event::{Callee, Retention};

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
    let mut world = World::single();
    let created = world.apply(invoked(call(1)));
    let caller = attempt(created, created);
    let call =
        Command::Call { request: request(), invocation_id_completion: 1, result_completion: 2 };
    let called = world.apply(command_for(caller, call, callee(2)));
    world.effects();
    let name = attempt(called, called);
    world.apply(output(name, "2"));
    world.apply(ended(name));
    assert_eq!(
        world.effects(),
        "completed b\"2\"\nexpiry 1004\nnotify 1@1 [3] Call c2"
            .replace("1004", &(world.now_ms + 1000).to_string())
    );
}

#[test]
fn a_delayed_send_waits_before_it_queues() {
    let mut world = World::single();
    let created = world.apply(invoked(call(1)));
    let caller = attempt(created, created);
    let send = Command::OneWayCall {
        request: request(),
        invoke_time_ms: 9000,
        invocation_id_completion: 1,
    };
    let sent = world.apply(command_for(caller, send, callee(2)));
    assert!(world.effects().ends_with("timer 9000"));
    assert!(world.tables().object("Counter", "k").is_none());
    world.now_ms = 9000;
    world.apply(timer(9000, sent, 0));
    assert!(world.effects().starts_with("start 2@3 Counter/k/add"));
}

#[test]
fn attach_waits_and_output_only_looks() {
    let mut world = World::single();
    let created = world.apply(invoked(call(1)));
    let watcher = world.apply(invoked(call(2)));
    let name = attempt(watcher, watcher);
    world.effects();
    let target = || InvocationTarget::Id(id(1).to_string());
    let look = Command::GetInvocationOutput { target: target(), completion: 1 };
    world.apply(command(name, look));
    let attach = Command::AttachInvocation { target: target(), completion: 2 };
    world.apply(command(name, attach));
    let nobody = InvocationTarget::Id(id(77).to_string());
    world.apply(command(name, Command::AttachInvocation { target: nobody, completion: 3 }));
    assert_eq!(
        world.effects(),
        "notify 2@2 [2] GetInvocationOutput c1\nnotify 2@2 [5] AttachInvocation c3"
    );
    let first = attempt(created, created);
    world.apply(output(first, "x"));
    world.apply(ended(first));
    assert!(world.effects().ends_with("notify 2@2 [6] AttachInvocation c2"));
}
