//! By which policy an attempt is retried that has nowhere to run.

use protocol::{
    DeploymentId, HandlerKind, InvocationId, PartitionKey, ProtocolVersion, ServiceKind, Target,
};
use runtime_core::{
    Lsn,
    attempt::RetryPolicy,
    effect::StartAttempt,
    event::{AttemptRef, Pin},
    tables::deployment::{
        Deployment, HandlerDefinition, InputRule, Options, OutputRule, RetryOptions,
        ServiceDefinition, StoredDeployment,
    },
    time::Timestamp,
};
use runtime_schema::{Defaults, RegistrySnapshot};

use crate::{Settings, task::homeless};

/// A deployment with one handler of `Greeter`, which is tried so often.
fn deployment(id: u128, handler: &str, max_attempts: Option<u32>) -> StoredDeployment {
    let handler = HandlerDefinition {
        name: handler.to_owned(),
        kind: HandlerKind::Service,
        options: Options {
            retry: RetryOptions { max_attempts, ..RetryOptions::default() },
            ..Options::default()
        },
        input: InputRule { required: false, content_type: None, json_schema: None },
        output: OutputRule {
            content_type: None,
            set_content_type_if_empty: false,
            json_schema: None,
        },
        documentation: None,
        metadata: Vec::new(),
    };
    let service = ServiceDefinition {
        name: "Greeter".to_owned(),
        kind: ServiceKind::Service,
        handlers: vec![handler],
        options: Options::default(),
        documentation: None,
        metadata: Vec::new(),
    };
    let deployment = Deployment {
        id: DeploymentId(id),
        uri: "http://127.0.0.1:9080".to_owned(),
        headers: Vec::new(),
        http1: false,
        bidirectional: true,
        protocol_range: (5, 5),
        sdk: None,
        services: vec![service],
        metadata: Vec::new(),
    };
    let revisions = vec![u32::try_from(id).unwrap()];
    StoredDeployment { deployment: deployment.into(), created_at: Timestamp(0), revisions }
}

fn start(pinned: Option<u128>) -> StartAttempt {
    StartAttempt {
        attempt: AttemptRef { invocation: Lsn(1), attempt: Lsn(1) },
        id: InvocationId { partition_key: PartitionKey(0), uuid: 1 },
        target: Target::new("Greeter", "", "greet"),
        service_kind: ServiceKind::Service,
        handler_kind: HandlerKind::Service,
        pin: pinned.map(|id| Pin { deployment: DeploymentId(id), protocol: ProtocolVersion::V7 }),
        journal: Vec::new(),
        state: Vec::new(),
        partial_state: false,
        random_seed: 1,
        retry_count: 0,
        policy_attempts: 0,
        unsent: 0,
        last_failure: None,
        last_entry_at: Timestamp(0),
        now: Timestamp(0),
        idempotency_key: None,
        scope: None,
        limit_key: None,
    }
}

#[test]
fn an_attempt_without_a_place_keeps_its_handlers_policy_if_anybody_knows_it() {
    let defaults = Defaults { retry: RetryPolicy::default(), ..Defaults::default() };
    let tries = |deployments: Vec<StoredDeployment>, pinned| {
        let registry = RegistrySnapshot::new(deployments, defaults.clone());
        homeless(&registry, &start(pinned), &Settings::default()).retry.max_attempts
    };
    let server = defaults.retry.max_attempts;
    assert_eq!(tries(Vec::new(), Some(1)), server, "nobody knows");
    let both = || vec![deployment(1, "greet", Some(3)), deployment(2, "greet", Some(5))];
    assert_eq!(tries(both(), Some(1)), Some(3), "its own deployment, which speaks another version");
    assert_eq!(tries(both(), Some(9)), Some(5), "its own is gone: as the latest one has it");
    assert_eq!(tries(both(), None), Some(5));
    let moved = || vec![deployment(1, "greet", Some(3)), deployment(2, "other", Some(5))];
    assert_eq!(tries(moved(), None), Some(3), "the latest one has it no more");
    assert_eq!(tries(vec![deployment(2, "other", Some(5))], None), server);
    let settings = Settings { counts_unsent: true, ..Settings::default() };
    let registry = RegistrySnapshot::new(Vec::new(), defaults.clone());
    assert!(homeless(&registry, &start(None), &settings).counts_unsent);
}
