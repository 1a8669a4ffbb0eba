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

fn rows(fixture: &mut Fixture, table: Table) -> usize {
    let prefix = table.key().done();
    fixture.tables().scan(&prefix, &prefix, usize::MAX).len()
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
        let mut fixture = Fixture::single();
        fixture.apply(invoked(call(1)));
        let caller = fixture.apply(invoked(call(2)));
        let name = attempt(caller, caller);
        fixture.apply(command(name, attach(1)));
        let (call, callee) = keyed_call(2);
        fixture.apply(command_for(name, call, callee));
        assert_eq!(rows(&mut fixture, Table::Waiter), 2, "both join what is there");
        match how {
            "end" => {
                fixture.apply(output(name, "x"));
                fixture.apply(ended(name));
            }
            _ => _ = fixture.apply(Event::KillRequested { request: RequestId(1), target: id(2) }),
        }
        assert_eq!(rows(&mut fixture, Table::Waiter), 0, "{how}");
    }
}

#[test]
fn only_the_one_who_ended_is_forgotten() {
    let mut fixture = Fixture::single();
    let target = fixture.apply(invoked(call(1)));
    let callers: Vec<Lsn> = (2..=4).map(|n| fixture.apply(invoked(call(n)))).collect();
    for caller in &callers {
        fixture.apply(command(attempt(*caller, *caller), attach(1)));
    }
    let first = attempt(callers[0], callers[0]);
    fixture.apply(output(first, "x"));
    fixture.apply(ended(first));
    fixture.effects();
    fixture.apply(output(attempt(target, target), "done"));
    fixture.apply(ended(attempt(target, target)));
    let effects = fixture.effects();
    let heard: Vec<_> = effects.lines().filter(|line| line.starts_with("notify")).collect();
    assert_eq!(heard, ["notify 3@3 [2] AttachInvocation c1", "notify 4@4 [2] AttachInvocation c1"]);
}

#[test]
fn a_target_on_another_partition_is_told() {
    let mut here = Fixture::new(0, 2);
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
    let mut there = Fixture::new(1, 2);
    let message = Message::Detach { from, target };
    there.apply(Event::MessageReceived { from: PartitionId(0), sequence: 1, message });
    assert_eq!(there.effects(), "ack 0 #1");
}

/// Invokes a shared handler of the workflow "o-1".
fn shared(fixture: &mut Fixture, n: u128, retention_ms: u64) -> Lsn {
    let mut invoke = call_workflow(n, "o-1");
    invoke.handler_kind = HandlerKind::Shared;
    invoke.retention = Retention { completion_ms: retention_ms, journal_ms: retention_ms };
    fixture.apply(invoked(invoke))
}

fn finish(fixture: &mut Fixture, created: Lsn) {
    fixture.apply(output(attempt(created, created), "x"));
    fixture.apply(ended(attempt(created, created)));
}

fn complete_promise(fixture: &mut Fixture, created: Lsn) {
    let result = Ok(Bytes::from("v"));
    let complete = Command::CompletePromise { key: "p".into(), result, completion: 1 };
    fixture.apply(command(attempt(created, created), complete));
}

fn cleanup(fixture: &mut Fixture) {
    fixture.apply(Event::CleanupDue { budget_bytes: u64::MAX, limit: 100 });
}

#[test]
fn a_promise_of_a_workflow_that_never_runs_ends_by_time() {
    let mut fixture = Fixture::single();
    let created = shared(&mut fixture, 1, 0);
    complete_promise(&mut fixture, created);
    finish(&mut fixture, created);
    fixture.now_ms += MONTH_MS - 100;
    cleanup(&mut fixture);
    assert_eq!(rows(&mut fixture, Table::Promise), 1, "the run may still come");
    fixture.now_ms += 100;
    cleanup(&mut fixture);
    assert_eq!(rows(&mut fixture, Table::Promise), 0);
    fixture.checkpoint();
    assert_eq!(fixture.base.0.len(), 1, "the meta row alone: {:?}", fixture.base.0);
}

#[test]
fn a_promise_stays_while_anything_of_its_workflow_is_there() {
    let mut fixture = Fixture::single();
    let created = shared(&mut fixture, 1, 0);
    let get = Command::GetPromise { key: "p".into(), completion: 1 };
    fixture.apply(command(attempt(created, created), get));
    fixture.apply(suspended(attempt(created, created), 1, 1));
    fixture.now_ms += MONTH_MS;
    cleanup(&mut fixture);
    assert_eq!(rows(&mut fixture, Table::Promise), 1, "an invocation waits for it");
    assert_eq!(rows(&mut fixture, Table::Expiry), 1, "and it is looked at again");
    fixture.apply(Event::KillRequested { request: RequestId(1), target: id(1) });
    fixture.now_ms += MONTH_MS;
    cleanup(&mut fixture);
    assert_eq!(rows(&mut fixture, Table::Promise), 0);
}

#[test]
fn a_run_removes_its_promises_whatever_created_them() {
    let mut fixture = Fixture::single();
    let created = shared(&mut fixture, 1, 0);
    complete_promise(&mut fixture, created);
    finish(&mut fixture, created);
    let mut run = call_workflow(2, "o-1");
    run.retention = Retention { completion_ms: 1000, journal_ms: 0 };
    let run = fixture.apply(invoked(run));
    finish(&mut fixture, run);
    fixture.now_ms += 1000;
    cleanup(&mut fixture);
    assert_eq!(rows(&mut fixture, Table::Promise), 0);
    fixture.now_ms += MONTH_MS;
    cleanup(&mut fixture);
    assert_eq!(rows(&mut fixture, Table::Expiry), 0);
}

#[test]
fn those_who_waited_for_a_promise_and_ended_are_forgotten() {
    let mut fixture = Fixture::single();
    let waiting: Vec<Lsn> = (1..=3).map(|n| shared(&mut fixture, n, 0)).collect();
    for created in &waiting {
        let get = Command::GetPromise { key: "p".into(), completion: 1 };
        fixture.apply(command(attempt(*created, *created), get));
    }
    finish(&mut fixture, waiting[1]);
    let promise = fixture.tables().promise("Order", "o-1", "p");
    let expected = vec![(waiting[0], 1), (waiting[2], 1)];
    assert_eq!(promise, Some(crate::tables::promise::Promise::Pending(expected)));
}

#[test]
fn format_1_tells_nobody() {
    let mut fixture = Fixture::single();
    fixture.rules = Rules::V1;
    fixture.apply(invoked(call(1)));
    let caller = fixture.apply(invoked(call(2)));
    fixture.apply(command(attempt(caller, caller), attach(1)));
    finish(&mut fixture, caller);
    assert_eq!(rows(&mut fixture, Table::Waiter), 1);
}
