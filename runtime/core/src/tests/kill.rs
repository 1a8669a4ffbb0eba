//! Kill: the invocations that it started are killed with it, and no others.

use bytes::Bytes;
use protocol::{
    HandlerKind, ServiceKind,
    journal::{CallRequest, Command},
};

use super::support::*;
use crate::{
    event::{Event, Rules},
    model::{
        ids::{AttemptRef, Lsn, RequestId},
        invocation::{Callee, Retention, StatusKind},
    },
};

fn request() -> CallRequest {
    CallRequest {
        service: "Greeter".into(),
        handler: "greet".into(),
        key: String::new(),
        parameter: Bytes::new(),
        headers: Vec::new(),
        idempotency_key: None,
        scope: None,
        limit_key: None,
    }
}

/// Calls or sends to invocation 2, whose id is derived and so can be used again.
fn start_callee(fixture: &mut Fixture, caller: AttemptRef, is_send: bool, first: u32) -> Lsn {
    let callee = Callee {
        id: id(2),
        service_kind: ServiceKind::Service,
        handler_kind: HandlerKind::Service,
        retention: Retention::default(),
        random_seed: 1,
    };
    let (request, completion) = (request(), first);
    let command = if is_send {
        Command::OneWayCall { request, invoke_time_ms: 0, invocation_id_completion: completion }
    } else {
        let result_completion = completion + 1;
        Command::Call { request, invocation_id_completion: completion, result_completion }
    };
    fixture.apply(command_for(caller, command, Some(callee)))
}

fn finish(fixture: &mut Fixture, created: Lsn) {
    let name = attempt(created, created);
    fixture.apply(output(name, "x"));
    fixture.apply(ended(name));
}

fn kill(fixture: &mut Fixture, target: u128) {
    fixture.apply(Event::KillRequested { request: RequestId(5), target: id(target) });
}

fn status(fixture: &mut Fixture, lsn: Lsn) -> Option<StatusKind> {
    fixture.tables().invocation(lsn).map(|row| row.status.kind())
}

#[test]
fn a_callee_that_lives_again_is_not_killed_by_its_former_caller() {
    for is_send in [false, true] {
        let mut fixture = Fixture::single();
        let created = fixture.apply(invoked(call(1)));
        let callee = start_callee(&mut fixture, attempt(created, created), is_send, 1);
        finish(&mut fixture, callee);
        // The same derived id, requested by a client this time, and later by another caller.
        let again = fixture.apply(invoked(call(2)));
        kill(&mut fixture, 1);
        assert_eq!(status(&mut fixture, again), Some(StatusKind::Running), "send={is_send}");
        finish(&mut fixture, again);
        fixture.now_ms += 100_000;
        let other = fixture.apply(invoked(call(3)));
        let third = start_callee(&mut fixture, attempt(other, other), is_send, 1);
        let stranger = fixture.apply(invoked(call(4)));
        start_callee(&mut fixture, attempt(stranger, stranger), is_send, 1);
        kill(&mut fixture, 4);
        assert_eq!(status(&mut fixture, third), Some(StatusKind::Running), "send={is_send}");
        kill(&mut fixture, 3);
        assert_eq!(status(&mut fixture, third), None, "its own caller's kill reaches it");
    }
}

#[test]
fn the_same_caller_id_in_a_later_life_is_another_caller() {
    for is_send in [false, true] {
        let mut fixture = Fixture::single();
        let mut invoke = call(1);
        invoke.retention = Retention::default();
        let first = fixture.apply(invoked(invoke.clone()));
        let callee = start_callee(&mut fixture, attempt(first, first), is_send, 1);
        finish(&mut fixture, first);
        let second = fixture.apply(invoked(invoke));
        assert_ne!(first, second);
        // It joins the callee that its predecessor started.
        start_callee(&mut fixture, attempt(second, second), is_send, 1);
        kill(&mut fixture, 1);
        let callee = status(&mut fixture, callee);
        assert_eq!(callee, Some(StatusKind::Running), "send={is_send}");
    }
}

#[test]
fn what_format_1_has_sent_is_killed_by_its_callers_id() {
    let mut fixture = Fixture::single();
    fixture.rules = Rules::V1;
    let created = fixture.apply(invoked(call(1)));
    let callee = start_callee(&mut fixture, attempt(created, created), true, 1);
    fixture.checkpoint();
    fixture.rules = Rules::V2;
    kill(&mut fixture, 1);
    assert_eq!(status(&mut fixture, callee), None);
}

#[test]
fn a_log_of_format_1_is_folded_by_its_rule() {
    let mut fixture = Fixture::single();
    fixture.rules = Rules::V1;
    let created = fixture.apply(invoked(call(1)));
    let callee = start_callee(&mut fixture, attempt(created, created), false, 1);
    finish(&mut fixture, callee);
    let again = fixture.apply(invoked(call(2)));
    kill(&mut fixture, 1);
    assert_eq!(status(&mut fixture, again), Some(StatusKind::Completed));
}
