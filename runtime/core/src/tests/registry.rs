//! Registration: which of several concurrent ones wins, as decided by the order of records.

use std::sync::Arc;

use protocol::{DeploymentId, ServiceKind};

use super::support::*;
use crate::{
    effect::{Answer, Effect, Registered},
    event::Event,
    model::{
        deployment::{Deployment, ServiceDefinition, ServiceOptions},
        ids::{Lsn, RequestId},
        invocation::StatusKind,
    },
};

fn deployment(id: u128, uri: &str, kind: ServiceKind) -> Arc<Deployment> {
    let service = ServiceDefinition {
        name: "Counter".to_owned(),
        kind,
        handlers: Vec::new(),
        options: ServiceOptions::default(),
        documentation: None,
        metadata: Vec::new(),
    };
    Arc::new(Deployment {
        id: DeploymentId(id),
        uri: uri.to_owned(),
        bidirectional: true,
        http1: false,
        headers: Vec::new(),
        metadata: Vec::new(),
        protocol_range: (5, 7),
        sdk: None,
        services: vec![service],
    })
}

fn offer(fixture: &mut Fixture, deployment: Arc<Deployment>, force: bool) -> Registered {
    let event = Event::DeploymentOffered {
        request: RequestId(1),
        deployment,
        replace: force,
        allow_breaking: force,
    };
    fixture.effects.clear();
    fixture.apply(event);
    match fixture.effects.pop() {
        Some(Effect::Answer { answer: Answer::Registered(registered), .. }) => registered,
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
fn the_older_event_registers_whatever_else_there_is() {
    let mut fixture = Fixture::single();
    for id in [1, 2] {
        let deployment = deployment(id, "http://h", ServiceKind::Service);
        fixture.apply(Event::DeploymentRegistered { request: RequestId(1), deployment });
    }
    assert_eq!(registered(&mut fixture), [(1, vec![1]), (2, vec![2])]);
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
