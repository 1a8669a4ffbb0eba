//! Invocations at a glance.

use protocol::journal::{
    Awaiting, Command, NotificationId,
    awaiting::Combinator,
    notification::{CANCEL_SIGNAL, SignalId},
};
use runtime_core::{
    event::Event,
    model::invocation::{AfterFailure, StatusKind},
    time::Timestamp,
};

use super::{DEPLOYMENT, surroundings};
use crate::{
    invocation::{Detail, Filter, Select},
    page::{Budget, Within},
    tests::support::{Fixture, call, call_object, first_attempt, id},
    why::{
        Kind,
        groups::{Glance, Groups, Scope, Seen},
    },
};

fn glance(fixture: &mut Fixture) -> Vec<Seen> {
    let select = Select {
        filter: Filter { statuses: Some(StatusKind::UNFINISHED.to_vec()), ..Filter::ALL },
        detail: Detail::Row,
        order: None,
        after: None,
        budget: Budget { rows_max: usize::MAX, bytes_max: usize::MAX },
    };
    let (page, read) = fixture.view(Glance { select });
    assert_eq!(page.rows.len(), read);
    page.rows
}

#[test]
fn each_is_in_the_group_of_what_it_waits_for_and_the_oldest_is_named() {
    let mut fixture = Fixture::default();
    let mut delayed = call(1);
    delayed.start_at = Some(Timestamp(9_000_000));
    fixture.apply(Event::Invoked(Box::new(delayed)));
    for uuid in [2, 3] {
        let lsn = fixture.invoke(uuid);
        fixture.fail(lsn, AfterFailure::Retry { delay_ms: 7000, counts: true });
    }
    let unsent = fixture.invoke(4);
    fixture.fail(unsent, AfterFailure::RetryUnsent { delay_ms: 7000 });
    let paused = fixture.invoke(5);
    fixture.fail(paused, AfterFailure::Pause);
    fixture.apply(call_object(6, "Cart", "a"));
    fixture.apply(call_object(7, "Cart", "a"));
    let cancelled = NotificationId::Signal(SignalId::Index(CANCEL_SIGNAL));
    let awakeable = NotificationId::Signal(SignalId::Index(17));
    let slept = NotificationId::Completion(1);
    for (uuid, awaited) in
        [(8, vec![&awakeable]), (9, vec![&slept]), (10, vec![&awakeable, &slept])]
    {
        let lsn = fixture.invoke(uuid);
        fixture.command(lsn, Command::Sleep { wake_up_time_ms: 5_000_000, completion: 1 });
        let leaves = awaited.into_iter().chain([&cancelled]).cloned().collect();
        let awaiting = Awaiting::node(Combinator::FirstCompleted, leaves, Vec::new());
        fixture.apply(Event::AttemptSuspended { attempt: first_attempt(lsn), awaiting, seen: 2 });
    }
    let registry = surroundings().registry;
    let mut groups = Groups::default();
    for seen in glance(&mut fixture) {
        groups.add(seen.kind(&registry, None), &seen);
    }
    let counts: Vec<_> = groups.0.iter().map(|(kind, it)| (*kind, it.count, it.oldest)).collect();
    let expected = [
        (Kind::Running, 1, id(6)),
        (Kind::Scheduled, 1, id(1)),
        (Kind::Timer, 1, id(9)),
        (Kind::Retry, 2, id(2)),
        (Kind::Unreachable, 1, id(4)),
        (Kind::Lock, 1, id(7)),
        (Kind::Awakeable, 1, id(8)),
        (Kind::Result, 1, id(10)),
        (Kind::PausedByFailure, 1, id(5)),
    ];
    assert_eq!(counts, expected);
}

#[test]
fn a_deployment_has_those_that_are_pinned_to_it_or_try_it() {
    let mut fixture = Fixture::default();
    let mut delayed = call(1);
    delayed.start_at = Some(Timestamp(9_000_000));
    fixture.apply(Event::Invoked(Box::new(delayed)));
    let failed = fixture.invoke(2);
    fixture.fail(failed, AfterFailure::RetryUnsent { delay_ms: 7000 });
    fixture.apply(call_object(3, "Cart", "a"));
    fixture.apply(call_object(4, "Cart", "a"));
    fixture.apply(call_object(5, "Unknown", "a"));
    let registry = surroundings().registry;
    let mut in_scope = |scope: &Scope| {
        let seen = glance(&mut fixture).into_iter().filter(|seen| seen.is_in(scope, &registry));
        let mut ids: Vec<_> = seen.map(|seen| seen.id).collect();
        ids.sort();
        ids
    };
    assert_eq!(in_scope(&Scope::Deployment(DEPLOYMENT)), [id(2), id(3)]);
    let cart = Within::Service("Cart".to_owned());
    assert_eq!(in_scope(&Scope::Within(cart)), [id(3), id(4)]);
    let queued = glance(&mut fixture).into_iter().find(|seen| seen.id == id(5)).unwrap();
    assert_eq!(queued.kind(&registry, None), Kind::Running, "its attempt says where it is");
    assert_eq!(StatusKind::ALL.len(), StatusKind::UNFINISHED.len() + 1);
}
