//! Tests of workflow promises.

use bytes::Bytes;
use protocol::{HandlerKind, ServiceKind, Target, TerminalFailure, journal::Command};
use runtime_core::{Lsn, event::Event, model::invocation::Invoke};

use super::support::{Fixture, call};
use crate::{
    page::{Budget, Cursor, Within},
    promise::{List, One, Promise, State},
};

fn run(fixture: &mut Fixture, uuid: u128, key: &str) -> Lsn {
    fixture.apply(Event::Invoked(Box::new(Invoke {
        target: Target::new("Signup", key, "run"),
        service_kind: ServiceKind::Workflow,
        handler_kind: HandlerKind::Workflow,
        ..call(uuid)
    })))
}

fn list(within: Within) -> impl Fn(Option<Cursor>, Budget) -> List {
    move |after, budget| List { within: within.clone(), after, budget }
}

fn bytes_of(promise: &Promise) -> usize {
    let value = match &promise.state {
        State::Completed(Ok(value)) => value.len(),
        State::Completed(Err(_)) | State::Pending { .. } => 0,
    };
    promise.workflow.len() + promise.key.len() + promise.name.len() + value
}

#[test]
fn promises_are_read_in_turns() {
    let mut fixture = Fixture::default();
    let runs = [run(&mut fixture, 1, "a"), run(&mut fixture, 2, "ab")];
    let result = |n: u32| match n % 3 {
        0 => Err(TerminalFailure::new(409, "enough")),
        _ => Ok(Bytes::from(vec![0; n as usize])),
    };
    for n in 0..400 {
        let key = format!("{n:03}");
        let lsn = runs[usize::from(n >= 200)];
        let completion = n + 1;
        if n % 2 == 0 {
            fixture.command(lsn, Command::GetPromise { key, completion });
        } else {
            let result = result(n);
            fixture.command(lsn, Command::CompletePromise { key, result, completion });
        }
        if n % 130 == 0 {
            fixture.freeze();
        }
    }
    let all = fixture.read_in_turns(list(Within::All), bytes_of);
    assert_eq!(all.len(), 400);
    for (n, promise) in (0..).zip(all) {
        let key = if n < 200 { "a" } else { "ab" };
        let name = format!("{n:03}");
        let named = (&*promise.workflow, &*promise.key, &*promise.name);
        assert_eq!(named, ("Signup", key, &*name));
        let state = match n % 2 {
            0 => State::Pending { waiting: 1 },
            _ => State::Completed(result(n)),
        };
        assert_eq!(promise.state, state, "{n}");
        let one = One { workflow: "Signup".to_owned(), key: key.to_owned(), name };
        assert_eq!(fixture.view(one), Some(promise));
    }
    let of = |key: &str| Within::Key { service: "Signup".to_owned(), key: key.to_owned() };
    assert_eq!(fixture.read_in_turns(list(of("ab")), bytes_of).len(), 200);
    assert_eq!(fixture.read_all(list(of("b"))), []);
    let none = One { workflow: "Signup".into(), key: "a".into(), name: "400".into() };
    assert_eq!(fixture.view(none), None);
}
