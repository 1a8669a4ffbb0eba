//! Tests of deployments and services.

use std::sync::Arc;

use protocol::{DeploymentId, HandlerKind, ServiceKind};
use runtime_core::{
    event::Event,
    model::{
        deployment::{
            Deployment as Offered, HandlerDefinition, InputRule, OnMaxAttempts, OutputRule,
            RetryOptions, ServiceDefinition, ServiceOptions,
        },
        ids::RequestId,
    },
    registry::{Defaults, RegistrySnapshot},
    time::Timestamp,
};

use super::support::Fixture;
use crate::{
    deployment::{self, Deployment},
    page::{Budget, Page},
    service::{self, Service},
};

fn handler(name: &str, kind: HandlerKind, options: ServiceOptions) -> HandlerDefinition {
    HandlerDefinition {
        name: name.to_owned(),
        kind,
        options,
        input: InputRule { required: false, content_type: None, json_schema: None },
        output: OutputRule::default(),
        documentation: Some("What it does.".to_owned()),
        metadata: Vec::new(),
    }
}

fn definition(name: String) -> ServiceDefinition {
    let run = ServiceOptions { workflow_retention_ms: Some(5), ..ServiceOptions::default() };
    ServiceDefinition {
        name,
        kind: ServiceKind::Workflow,
        handlers: vec![
            handler("run", HandlerKind::Workflow, run),
            handler("look", HandlerKind::Shared, ServiceOptions::default()),
        ],
        options: ServiceOptions {
            ingress_private: Some(true),
            abort_timeout_ms: Some(7),
            retry: RetryOptions {
                max_attempts: Some(3),
                on_max_attempts: Some(OnMaxAttempts::Kill),
                ..RetryOptions::default()
            },
            ..ServiceOptions::default()
        },
        documentation: None,
        metadata: Vec::new(),
    }
}

/// Registers `count` deployments. Each offers a service of its own and one that they all share.
fn registry(count: u16) -> RegistrySnapshot {
    let mut fixture = Fixture::default();
    for n in 1..=count {
        let deployment = Offered {
            id: DeploymentId(u128::from(n)),
            uri: format!("http://host-{n}/"),
            bidirectional: true,
            http1: false,
            headers: Vec::new(),
            metadata: Vec::new(),
            protocol_range: (5, 6),
            sdk: None,
            services: vec![definition("Common".to_owned()), definition(format!("Own{n:03}"))],
        };
        let (deployment, request) = (Arc::new(deployment), RequestId(1));
        fixture.apply(Event::DeploymentRegistered { request, deployment });
    }
    RegistrySnapshot::new(fixture.tables().deployments(), Defaults::default())
}

const BUDGETS: [Budget; 4] = [
    Budget { rows_max: 1, bytes_max: usize::MAX },
    Budget { rows_max: 7, bytes_max: 30 },
    Budget { rows_max: 64, bytes_max: usize::MAX },
    Budget { rows_max: usize::MAX, bytes_max: usize::MAX },
];

#[test]
fn deployments_are_read_in_turns_in_the_order_of_registration() {
    let registry = registry(300);
    let expected: Vec<_> = registry.deployments().map(|stored| Deployment::of(stored)).collect();
    assert!(expected.iter().map(|deployment| deployment.id.0).eq(1..=300));
    let third = &expected[2];
    assert_eq!((&*third.uri, third.created_at), ("http://host-3/", Timestamp(3)));
    let revisions = third.services.iter().map(|service| (&*service.name, service.revision));
    assert!(revisions.eq([("Common", 3), ("Own003", 1)]));
    for budget in BUDGETS {
        let list = |after| deployment::List { after, budget }.read(&registry);
        let all = in_turns(budget, expected.len(), list, |deployment| deployment.uri.len());
        assert_eq!(all, expected, "{budget:?}");
    }
}

/// Reads all pages of a list and checks that each keeps to the budget.
fn in_turns<T, C>(
    budget: Budget,
    rows_max: usize,
    list: impl Fn(Option<C>) -> Page<T, C>,
    bytes_of: impl Fn(&T) -> usize,
) -> Vec<T> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = list(after);
        assert!(page.rows.len() <= budget.rows_max);
        let bytes = page.rows.iter().rev().skip(1).map(&bytes_of);
        assert!(bytes.sum::<usize>() < budget.bytes_max);
        all.extend(page.rows);
        assert!(all.len() <= rows_max, "{budget:?}");
        after = page.rest_after;
        if after.is_none() {
            return all;
        }
    }
}

#[test]
fn services_are_read_in_turns_by_name() {
    let registry = registry(300);
    let services = registry.services().into_iter();
    let expected: Vec<_> = services.map(|it| Service::of(it, registry.defaults())).collect();
    assert_eq!(expected.len(), 301);
    assert!(expected.is_sorted_by_key(|service| &service.name));
    for budget in BUDGETS {
        let list = |after| service::List { after, budget }.read(&registry);
        let all = in_turns(budget, expected.len(), list, |service| service.name.len());
        assert_eq!(all, expected, "{budget:?}");
    }
}

#[test]
fn a_service_has_its_own_settings_and_else_the_nodes() {
    let (registry, defaults) = (registry(2), Defaults::default());
    let common = Service::of(registry.service("Common").unwrap(), &defaults);
    assert_eq!((common.deployment, common.revision), (DeploymentId(2), 2));
    assert!(!common.is_public && !common.handlers[0].is_public);
    assert_eq!(common.workflow_retention_ms, Some(5), "the handler that runs says so");
    assert_eq!(common.journal_retention_ms, defaults.journal_retention_ms);
    let (attempts, node) = (common.attempts, defaults.handler.clone());
    assert_eq!((attempts.abort_timeout_ms, attempts.retry.max_attempts), (7, Some(3)));
    assert_eq!(attempts.retry.on_max_attempts, OnMaxAttempts::Kill);
    assert_eq!(attempts.retry.backoff, node.retry.backoff);
    assert_eq!(attempts.inactivity_timeout_ms, node.inactivity_timeout_ms);
    let first = registry.deployment(DeploymentId(1)).unwrap();
    let of_first = Service::all_of(first, &defaults);
    let revisions: Vec<_> = of_first.iter().map(|it| (&*it.name, it.revision)).collect();
    assert_eq!(revisions, [("Common", 1), ("Own001", 1)], "as if it were the only one");
}
