//! Nothing is kept forever: neither waiters for a result, nor promises whose workflow never runs.

use bytes::Bytes;
use protocol::{
    HandlerKind, ServiceKind,
    journal::{CallRequest, Command, InvocationTarget},
};

use super::support::*;
use crate::{
    effect::Effect,
    event::{Event, Rules},
    model::{
        ids::{Lsn, PartitionId, RequestId},
        invocation::{Callee, Retention},
        message::Message,
    },
    tables::Table,
};

const MONTH_MS: u64 = 30 * 24 * 3_600_000;

fn rows(world: &mut World, table: Table) -> usize {
    let prefix = table.key().done();
    world.tables().scan(&prefix, &prefix, usize::MAX).len()
}

fn attach(completion: u32) -> Command {
    Command::AttachInvocation { target: InvocationTarget::Id(id(1).to_string()), completion }
}

fn keyed_call(first: u32) -> (Command, Option<Callee>) {
    let request = CallRequest {
        service: "Greeter".into(),
        handler: "greet".into(),
        key: String::new(),
        parameter: Bytes::new(),
        headers: Vec::new(),
        idempotency_key: Some("k".into()),
        scope: None,
        limit_key: None,
    };
    let callee = Callee {
        id: id(1),
        service_kind: ServiceKind::Service,
        handler_kind: HandlerKind::Service,
        retention: Retention::default(),
        random_seed: 1,
    };
    let (invocation_id_completion, result_completion) = (first, first + 1);
    (Command::Call { request, invocation_id_completion, result_completion }, Some(callee))
}

#[test]
fn a_caller_that_ends_does_not_wait_any_more() {
    for how in ["end", "kill", "cancel the queued"] {
        let mut world = World::single();
        world.apply(invoked(call(1)));
        let caller = world.apply(invoked(call(2)));
        let name = attempt(caller, caller);
        world.apply(command(name, attach(1)));
        let (call, callee) = keyed_call(2);
        world.apply(command_for(name, call, callee));
        assert_eq!(rows(&mut world, Table::Waiter), 2, "both join what is there");
        match how {
            "end" => {
                world.apply(output(name, "x"));
                world.apply(ended(name));
            }
            _ => _ = world.apply(Event::KillRequested { request: RequestId(1), target: id(2) }),
        }
        assert_eq!(rows(&mut world, Table::Waiter), 0, "{how}");
    }
}

#[test]
fn only_the_one_who_ended_is_forgotten() {
    let mut world = World::single();
    let target = world.apply(invoked(call(1)));
    let callers: Vec<Lsn> = (2..=4).map(|n| world.apply(invoked(call(n)))).collect();
    for caller in &callers {
        world.apply(command(attempt(*caller, *caller), attach(1)));
    }
    let first = attempt(callers[0], callers[0]);
    world.apply(output(first, "x"));
    world.apply(ended(first));
    world.effects();
    world.apply(output(attempt(target, target), "done"));
    world.apply(ended(attempt(target, target)));
    let effects = world.effects();
    let heard: Vec<_> = effects.lines().filter(|line| line.starts_with("notify")).collect();
    assert_eq!(heard, ["notify 3@3 [2] AttachInvocation c1", "notify 4@4 [2] AttachInvocation c1"]);
}

#[test]
fn a_target_on_another_partition_is_told() {
    let mut here = World::new(0, 2);
    let caller = here.apply(invoked(call(1)));
    let mut far = id(9);
    far.partition_key = protocol::PartitionKey(u64::MAX);
    let target = InvocationTarget::Id(far.to_string());
    let name = attempt(caller, caller);
    here.apply(command(name, Command::AttachInvocation { target, completion: 1 }));
    here.apply(output(name, "x"));
    here.effects.clear();
    here.apply(ended(name));
    let mut sent = None;
    for effect in &here.effects {
        if let Effect::Send { message, .. } = effect {
            sent = Some(message.clone());
        }
    }
    let Some(Message::Detach { from, target }) = sent else { panic!("{sent:?}") };
    assert_eq!((from.id, from.invocation, from.completion, target), (id(1), caller, 1, far));
    // The target may have ended in the meantime, or never have existed.
    let mut there = World::new(1, 2);
    let message = Message::Detach { from, target };
    there.apply(Event::MessageReceived { from: PartitionId(0), sequence: 1, message });
    assert_eq!(there.effects(), "ack 0 #1");
}

/// Invokes a shared handler of the workflow "o-1".
fn shared(world: &mut World, n: u128, retention_ms: u64) -> Lsn {
    let mut invoke = call_workflow(n, "o-1");
    invoke.handler_kind = HandlerKind::Shared;
    invoke.retention = Retention { completion_ms: retention_ms, journal_ms: retention_ms };
    world.apply(invoked(invoke))
}

fn finish(world: &mut World, created: Lsn) {
    world.apply(output(attempt(created, created), "x"));
    world.apply(ended(attempt(created, created)));
}

fn complete_promise(world: &mut World, created: Lsn) {
    let result = Ok(Bytes::from("v"));
    let complete = Command::CompletePromise { key: "p".into(), result, completion: 1 };
    world.apply(command(attempt(created, created), complete));
}

fn cleanup(world: &mut World) {
    world.apply(Event::CleanupDue { budget_bytes: u64::MAX, limit: 100 });
}

#[test]
fn a_promise_of_a_workflow_that_never_runs_ends_by_time() {
    let mut world = World::single();
    let created = shared(&mut world, 1, 0);
    complete_promise(&mut world, created);
    finish(&mut world, created);
    world.now_ms += MONTH_MS - 100;
    cleanup(&mut world);
    assert_eq!(rows(&mut world, Table::Promise), 1, "the run may still come");
    world.now_ms += 100;
    cleanup(&mut world);
    assert_eq!(rows(&mut world, Table::Promise), 0);
    world.checkpoint();
    assert_eq!(world.base.0.len(), 1, "the meta row alone: {:?}", world.base.0);
}

#[test]
fn a_promise_stays_while_anything_of_its_workflow_is_there() {
    let mut world = World::single();
    let created = shared(&mut world, 1, 0);
    let get = Command::GetPromise { key: "p".into(), completion: 1 };
    world.apply(command(attempt(created, created), get));
    world.apply(suspended(attempt(created, created), 1, 1));
    world.now_ms += MONTH_MS;
    cleanup(&mut world);
    assert_eq!(rows(&mut world, Table::Promise), 1, "somebody waits for it");
    assert_eq!(rows(&mut world, Table::Expiry), 1, "and it is looked at again");
    world.apply(Event::KillRequested { request: RequestId(1), target: id(1) });
    world.now_ms += MONTH_MS;
    cleanup(&mut world);
    assert_eq!(rows(&mut world, Table::Promise), 0);
}

#[test]
fn a_run_takes_its_promises_with_it_whoever_made_them() {
    let mut world = World::single();
    let created = shared(&mut world, 1, 0);
    complete_promise(&mut world, created);
    finish(&mut world, created);
    let mut run = call_workflow(2, "o-1");
    run.retention = Retention { completion_ms: 1000, journal_ms: 0 };
    let run = world.apply(invoked(run));
    finish(&mut world, run);
    world.now_ms += 1000;
    cleanup(&mut world);
    assert_eq!(rows(&mut world, Table::Promise), 0);
    world.now_ms += MONTH_MS;
    cleanup(&mut world);
    assert_eq!(rows(&mut world, Table::Expiry), 0);
}

#[test]
fn those_who_waited_for_a_promise_and_ended_are_forgotten() {
    let mut world = World::single();
    let waiting: Vec<Lsn> = (1..=3).map(|n| shared(&mut world, n, 0)).collect();
    for created in &waiting {
        let get = Command::GetPromise { key: "p".into(), completion: 1 };
        world.apply(command(attempt(*created, *created), get));
    }
    finish(&mut world, waiting[1]);
    let promise = world.tables().promise("Order", "o-1", "p");
    let expected = vec![(waiting[0], 1), (waiting[2], 1)];
    assert_eq!(promise, Some(crate::tables::promise::Promise::Pending(expected)));
}

#[test]
fn format_1_tells_nobody() {
    let mut world = World::single();
    world.rules = Rules::V1;
    world.apply(invoked(call(1)));
    let caller = world.apply(invoked(call(2)));
    world.apply(command(attempt(caller, caller), attach(1)));
    finish(&mut world, caller);
    assert_eq!(rows(&mut world, Table::Waiter), 1);
}
