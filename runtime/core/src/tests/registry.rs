//! Registration: which of several concurrent ones wins, as decided by the order of records. What
//! operators change of a deployment and of a service, and how invocations pinned to one are counted.

use std::sync::Arc;

use protocol::{DeploymentId, HandlerKind, ProtocolVersion, ServiceKind};

use super::support::*;
use crate::{
    effect::{Answer, Configured, Effect, Registered, Updated},
    event::Event,
    invariants,
    model::{
        deployment::{
            Deployment, HandlerDefinition, InputRule, Lost, OutputRule, RetryOptions,
            ServiceDefinition, ServiceOptions,
        },
        ids::{Lsn, RequestId},
        invocation::{AfterFailure, Pin, StatusKind},
        operation::Operation,
        operator::Operator,
        registry_change::RegistryChange,
    },
    tables::{Order, Table, walk::Budget},
};

fn deployment(id: u128, uri: &str, kind: ServiceKind) -> Arc<Deployment> {
    Arc::new(counter_deployment(id, uri, kind, Vec::new()))
}

fn offer(fixture: &mut Fixture, deployment: Arc<Deployment>, force: bool) -> Registered {
    let change = RegistryChange::Register { deployment, replace: force, allow_breaking: force };
    let answer = change_registry(fixture, change);
    let Answer::Registered(registered) = answer else { panic!("{answer:?}") };
    registered
}

fn change_registry(fixture: &mut Fixture, change: RegistryChange) -> Answer {
    let (operator, change) = (ada("too slow"), Box::new(change));
    fixture.effects.clear();
    fixture.apply(Event::RegistryChangeRequested { request: RequestId(1), operator, change });
    match fixture.effects.pop() {
        Some(Effect::Answer { request: RequestId(1), answer }) => answer,
        other => panic!("{other:?}"),
    }
}

fn registered(fixture: &mut Fixture) -> Vec<(u128, Vec<u32>)> {
    let rows = fixture.tables().deployments().into_iter();
    rows.map(|stored| (stored.deployment.id.0, stored.revisions)).collect()
}

#[test]
fn the_first_of_several_that_offer_one_address_is_registered() {
    let mut fixture = Fixture::single();
    let mut offer_as =
        |id, force| offer(&mut fixture, deployment(id, "http://h", ServiceKind::Service), force);
    assert_eq!(offer_as(7, false), Registered::New(DeploymentId(7)));
    assert_eq!(offer_as(3, false), Registered::Kept(DeploymentId(7)));
    assert_eq!(offer_as(9, false), Registered::Kept(DeploymentId(7)));
    assert!(!fixture.effects.contains(&Effect::PublishRegistry), "nothing has changed");
    assert_eq!(registered(&mut fixture), [(7, vec![1])]);
}

#[test]
fn force_takes_the_place_and_the_id_of_what_was_there() {
    let mut fixture = Fixture::single();
    offer(&mut fixture, deployment(7, "http://h", ServiceKind::Service), false);
    let again = deployment(3, "http://h", ServiceKind::VirtualObject);
    assert_eq!(offer(&mut fixture, again, true), Registered::Replaced(DeploymentId(7)));
    assert_eq!(registered(&mut fixture), [(7, vec![2])]);
    let kind = fixture.tables().deployments()[0].deployment.services[0].kind;
    assert_eq!(kind, ServiceKind::VirtualObject);
}

#[test]
fn a_kind_that_another_registration_has_changed_meanwhile_is_noticed() {
    let mut fixture = Fixture::single();
    offer(&mut fixture, deployment(1, "http://a", ServiceKind::Service), false);
    let other = deployment(2, "http://b", ServiceKind::Workflow);
    let expected = Registered::KindChanged {
        service: "Counter".to_owned(),
        was: ServiceKind::Service,
        would_be: ServiceKind::Workflow,
    };
    assert_eq!(offer(&mut fixture, Arc::clone(&other), false), expected);
    assert_eq!(registered(&mut fixture), [(1, vec![1])]);
    assert_eq!(offer(&mut fixture, other, true), Registered::New(DeploymentId(2)));
}

#[test]
fn older_events_change_the_registry_and_keep_no_audit() {
    let mut fixture = Fixture::single();
    let request = RequestId(1);
    let mut changed = |event| {
        fixture.effects.clear();
        fixture.apply(event);
        assert_eq!(fixture.effects.first(), Some(&Effect::PublishRegistry));
        let tables = fixture.tables();
        let all = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };
        assert_eq!(tables.walk_audit((None, Order::Ascending), all).count(), 0);
        match &tables.deployments()[..] {
            [] => None,
            [stored] => Some(Deployment::clone(&stored.deployment)),
            other => panic!("{other:?}"),
        }
    };
    let (at_a, at_b) = (workflow(1, "http://a"), workflow(1, "http://b"));
    let (replace, allow_breaking) = (false, false);
    let deployment = Arc::clone(&at_a);
    let offered = Event::DeploymentOffered { request, deployment, replace, allow_breaking };
    assert_eq!(changed(offered).as_ref(), Some(&*at_a));
    let deployment = Arc::clone(&at_b);
    let updated = changed(Event::DeploymentUpdated { request, deployment, overwrite: false });
    assert_eq!(updated.as_ref(), Some(&*at_b));
    let changes = ServiceOptions { journal_retention_ms: Some(7), ..ServiceOptions::default() };
    let service = "Counter".to_owned();
    let configured = changed(Event::ServiceConfigured { request, service, changes }).unwrap();
    assert_eq!(configured.services[0].options.journal_retention_ms, Some(7));
    let removed = Event::DeploymentRemoved { request, deployment: DeploymentId(1) };
    assert_eq!(changed(removed), None);
}

#[test]
fn the_oldest_event_registers_whatever_else_there_is() {
    let mut fixture = Fixture::single();
    for id in [1, 2] {
        let deployment = deployment(id, "http://h", ServiceKind::Service);
        fixture.apply(Event::DeploymentRegistered { request: RequestId(1), deployment });
    }
    assert_eq!(registered(&mut fixture), [(1, vec![1]), (2, vec![2])]);
}

fn handler(name: &str, kind: HandlerKind) -> HandlerDefinition {
    HandlerDefinition {
        name: name.to_owned(),
        kind,
        options: ServiceOptions::default(),
        input: InputRule { required: false, content_type: None, json_schema: None },
        output: OutputRule::default(),
        documentation: None,
        metadata: Vec::new(),
    }
}

/// A deployment of one workflow whose run handler has settings of its own.
fn workflow(id: u128, uri: &str) -> Arc<Deployment> {
    let mut deployment = Deployment::clone(&deployment(id, uri, ServiceKind::Workflow));
    let mut run = handler("run", HandlerKind::Workflow);
    run.options.workflow_retention_ms = Some(1);
    run.options.abort_timeout_ms = Some(2);
    deployment.services[0].handlers = vec![run, handler("look", HandlerKind::Shared)];
    Arc::new(deployment)
}

fn configure(fixture: &mut Fixture, changes: ServiceOptions) -> Configured {
    let service = "Counter".to_owned();
    let answer = change_registry(fixture, RegistryChange::Configure { service, changes });
    let Answer::Configured(configured) = answer else { panic!("{answer:?}") };
    configured
}

fn service_of(fixture: &mut Fixture, id: u128) -> ServiceDefinition {
    let stored = fixture.tables().deployment(DeploymentId(id)).unwrap();
    stored.deployment.services[0].clone()
}

#[test]
fn settings_change_the_latest_revision_and_what_they_do_not_name_stays() {
    let mut fixture = Fixture::single();
    let changes = ServiceOptions {
        workflow_retention_ms: Some(300),
        ingress_private: Some(true),
        retry: RetryOptions { max_attempts: Some(3), ..RetryOptions::default() },
        ..ServiceOptions::default()
    };
    assert_eq!(configure(&mut fixture, changes.clone()), Configured::NotFound);
    offer(&mut fixture, workflow(1, "http://a"), false);
    offer(&mut fixture, workflow(2, "http://b"), false);
    let first = ServiceOptions { abort_timeout_ms: Some(7), ..ServiceOptions::default() };
    assert_eq!(configure(&mut fixture, first), Configured::Done);
    assert_eq!(configure(&mut fixture, changes.clone()), Configured::Done);
    assert!(fixture.effects.contains(&Effect::PublishRegistry));
    let configured = service_of(&mut fixture, 2);
    let both = ServiceOptions { abort_timeout_ms: Some(7), ..changes };
    assert_eq!(configured.options, both);
    let run = &configured.handlers[0].options;
    assert_eq!(run.workflow_retention_ms, Some(300), "nothing else keeps a workflow's result");
    assert_eq!(run.abort_timeout_ms, Some(2), "a handler's own setting comes first, and stays");
    assert_eq!(configured.handlers[1], handler("look", HandlerKind::Shared));
    assert_eq!(service_of(&mut fixture, 1).options, ServiceOptions::default(), "not the latest");
    assert_eq!(registered(&mut fixture), [(1, vec![1]), (2, vec![2])], "no new revision");
}

#[test]
fn a_discovery_brings_the_settings_of_the_endpoint_back() {
    let mut fixture = Fixture::single();
    offer(&mut fixture, workflow(1, "http://a"), false);
    let changes = ServiceOptions { journal_retention_ms: Some(7), ..ServiceOptions::default() };
    configure(&mut fixture, changes);
    offer(&mut fixture, workflow(9, "http://a"), true);
    assert_eq!(service_of(&mut fixture, 1), workflow(1, "http://a").services[0]);
}

#[test]
fn only_a_workflow_can_keep_its_results_as_one() {
    let mut fixture = Fixture::single();
    offer(&mut fixture, deployment(1, "http://a", ServiceKind::VirtualObject), false);
    let changes = ServiceOptions {
        workflow_retention_ms: Some(7),
        abort_timeout_ms: Some(7),
        ..ServiceOptions::default()
    };
    fixture.effects.clear();
    assert_eq!(configure(&mut fixture, changes), Configured::NotAWorkflow);
    assert!(fixture.effects.is_empty(), "nothing has changed");
    assert_eq!(service_of(&mut fixture, 1).options, ServiceOptions::default());
}

fn update(fixture: &mut Fixture, deployment: Arc<Deployment>, overwrite: bool) -> Updated {
    let answer = change_registry(fixture, RegistryChange::Update { deployment, overwrite });
    let Answer::Updated(updated) = answer else { panic!("{answer:?}") };
    updated
}

#[test]
fn a_deployment_that_moves_keeps_its_services_with_their_settings() {
    let mut fixture = Fixture::single();
    offer(&mut fixture, workflow(1, "http://a"), false);
    let changes = ServiceOptions { journal_retention_ms: Some(7), ..ServiceOptions::default() };
    configure(&mut fixture, changes);
    let before = fixture.tables().deployment(DeploymentId(1)).unwrap();
    let mut moved = Deployment::clone(&workflow(1, "http://b"));
    moved.headers = vec![("authorization".to_owned(), "new".to_owned())];
    moved.services[0].handlers.push(handler("more", HandlerKind::Shared));
    assert_eq!(update(&mut fixture, moved.clone().into(), false), Updated::Done);
    assert_eq!(fixture.effects, [Effect::PublishRegistry]);
    let after = fixture.tables().deployment(DeploymentId(1)).unwrap();
    assert_eq!((&*after.deployment.uri, &after.deployment.headers), ("http://b", &moved.headers));
    assert_eq!(after.deployment.services, before.deployment.services, "as configured");
    assert_eq!((after.revisions, after.created_at), (before.revisions, before.created_at));
    // The old address is free again.
    let again = deployment(2, "http://a", ServiceKind::Workflow);
    assert_eq!(offer(&mut fixture, again, false), Registered::New(DeploymentId(2)));
}

#[test]
fn a_deployment_must_go_on_offering_what_it_does_unless_it_is_overwritten() {
    let mut fixture = Fixture::single();
    let mut poorer = Deployment::clone(&workflow(1, "http://b"));
    poorer.services[0].handlers.remove(1);
    let poorer = Arc::new(poorer);
    assert_eq!(update(&mut fixture, Arc::clone(&poorer), true), Updated::NotFound);
    offer(&mut fixture, workflow(1, "http://a"), false);
    let lost = Lost::Handler { service: "Counter".to_owned(), handler: "look".to_owned() };
    assert_eq!(update(&mut fixture, Arc::clone(&poorer), false), Updated::Lost(vec![lost]));
    assert!(fixture.effects.is_empty(), "nothing has changed");
    assert_eq!(update(&mut fixture, Arc::clone(&poorer), true), Updated::Done);
    assert_eq!(service_of(&mut fixture, 1), poorer.services[0]);
    assert_eq!(registered(&mut fixture), [(1, vec![1])], "the same revision");
    // What another deployment offers in a later revision stays the latest.
    offer(&mut fixture, workflow(2, "http://c"), false);
    let mut richer = Deployment::clone(&poorer);
    let more = deployment(1, "", ServiceKind::Service).services[0].clone();
    richer.services.push(ServiceDefinition { name: "More".to_owned(), ..more });
    assert_eq!(update(&mut fixture, richer.into(), true), Updated::Done);
    assert_eq!(registered(&mut fixture), [(1, vec![1, 1]), (2, vec![2])]);
}

#[test]
fn an_address_belongs_to_one_deployment() {
    let mut fixture = Fixture::single();
    offer(&mut fixture, workflow(1, "http://a"), false);
    offer(&mut fixture, workflow(2, "http://b"), false);
    let taken = Updated::AddressTaken(DeploymentId(1));
    assert_eq!(update(&mut fixture, workflow(2, "http://a"), false), taken);
    assert_eq!(update(&mut fixture, workflow(2, "http://a"), true), taken);
    assert_eq!(update(&mut fixture, workflow(2, "http://b"), false), Updated::Done, "its own");
}

#[test]
fn what_is_lost_is_named() {
    let was = Deployment {
        services: vec![
            ServiceDefinition {
                handlers: vec![
                    handler("gone", HandlerKind::Shared),
                    handler("other", HandlerKind::Shared),
                    handler("same", HandlerKind::Exclusive),
                ],
                ..deployment(1, "", ServiceKind::VirtualObject).services[0].clone()
            },
            ServiceDefinition {
                name: "Kind".to_owned(),
                ..deployment(1, "", ServiceKind::Service).services[0].clone()
            },
            ServiceDefinition {
                name: "Gone".to_owned(),
                ..deployment(1, "", ServiceKind::Service).services[0].clone()
            },
        ],
        ..Deployment::clone(&deployment(1, "", ServiceKind::Service))
    };
    let mut would_be = was.clone();
    would_be.services.truncate(2);
    would_be.services[0].handlers = vec![
        handler("same", HandlerKind::Exclusive),
        handler("other", HandlerKind::Exclusive),
        handler("new", HandlerKind::Exclusive),
    ];
    would_be.services[1].kind = ServiceKind::Workflow;
    let (service, handler) = ("Counter".to_owned(), "other".to_owned());
    let expected = [
        Lost::Handler { service: service.clone(), handler: "gone".to_owned() },
        Lost::HandlerKind {
            service,
            handler,
            was: HandlerKind::Shared,
            would_be: HandlerKind::Exclusive,
        },
        Lost::ServiceKind {
            service: "Kind".to_owned(),
            was: ServiceKind::Service,
            would_be: ServiceKind::Workflow,
        },
        Lost::Service("Gone".to_owned()),
    ];
    assert_eq!(was.lost_in(&would_be), expected);
    assert_eq!(was.lost_in(&was), []);
}

/// How many invocations are pinned to a deployment, by service and status.
fn pinned(fixture: &mut Fixture, deployment: u128) -> Vec<(String, StatusKind, u64)> {
    let all = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };
    let tables = fixture.tables();
    let tallies = tables.walk_pinned_tallies(DeploymentId(deployment), None, all);
    let counts = tallies.flat_map(|(service, tally)| {
        tally.counts().map(move |(status, count)| (service.clone(), status, count))
    });
    counts.collect()
}

#[test]
fn invocations_are_counted_by_the_deployment_that_they_are_pinned_to() {
    let mut fixture = Fixture::single();
    let pin =
        |deployment| Pin { deployment: DeploymentId(deployment), protocol: ProtocolVersion::V6 };
    let started = [1, 2].map(|n| fixture.apply(invoked(call(n))));
    let other = fixture.apply(invoked(call_object(3, "k")));
    assert_eq!(pinned(&mut fixture, 7), [], "nothing is pinned yet");
    for lsn in started.into_iter().chain([other]) {
        fixture.apply(Event::DeploymentPinned { attempt: attempt(lsn, lsn), pin: pin(7) });
    }
    let running = StatusKind::Running;
    let count = |service: &str, status, count| (service.to_owned(), status, count);
    let expected = [count("Counter", running, 1), count("Greeter", running, 2)];
    assert_eq!(pinned(&mut fixture, 7), expected);
    // One ends, and another moves.
    let name = attempt(started[0], started[0]);
    fixture.apply(output(name, "x"));
    fixture.apply(ended(name));
    fixture.apply(failed(attempt(started[1], started[1]), AfterFailure::Pause));
    fixture.apply(Event::OperationRequested {
        request: RequestId(1),
        operator: Operator { name: "ada".to_owned(), reason: None },
        target: id(2),
        operation: Operation::Resume { onto: Some(DeploymentId(8)) },
    });
    let expected = [count("Counter", running, 1), count("Greeter", StatusKind::Completed, 1)];
    assert_eq!(pinned(&mut fixture, 7), expected);
    assert_eq!(pinned(&mut fixture, 8), [count("Greeter", running, 1)]);
    fixture.apply(Event::PurgeRequested { request: RequestId(1), target: id(1) });
    assert_eq!(pinned(&mut fixture, 7), [count("Counter", running, 1)]);
    assert_eq!(invariants::check(&fixture.tables()), Ok(()));
    // A version without these counts has written the rows.
    fixture.checkpoint();
    let counted = |key: &[u8]| key[0] == Table::PinnedTally as u8;
    fixture.base.0.retain(|key, _| !counted(key));
    assert!(invariants::check(&fixture.tables()).unwrap_err().contains("are counted as"));
    fixture.tables().tally_if_missing();
    assert_eq!(invariants::check(&fixture.tables()), Ok(()));
    assert_eq!(pinned(&mut fixture, 8), [count("Greeter", running, 1)]);
}

#[test]
fn purge_removes_what_has_ended_and_nothing_else() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let purge = Event::PurgeRequested { request: RequestId(2), target: id(1) };
    fixture.effects.clear();
    fixture.apply(purge.clone());
    assert!(format!("{:?}", fixture.effects).contains("Refused(Running)"), "{:?}", fixture.effects);
    let name = attempt(created, created);
    fixture.apply(output(name, "x"));
    fixture.apply(ended(name));
    fixture.apply(purge.clone());
    assert_eq!(fixture.tables().by_status(StatusKind::Completed, Lsn(0), 9), []);
    fixture.effects.clear();
    fixture.apply(purge);
    assert!(format!("{:?}", fixture.effects).contains("NotFound"), "{:?}", fixture.effects);
}
