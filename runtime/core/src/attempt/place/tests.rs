//! Where attempts run, given a registry.

use protocol::{HandlerKind, ServiceKind};

use super::*;
use crate::{
    attempt::tests::start,
    model::deployment::{
        Deployment, HandlerDefinition, InputRule, OutputRule, RetryOptions, ServiceDefinition,
        ServiceOptions,
    },
    registry::Defaults,
    time::Timestamp,
};

/// A deployment with one handler of `Greeter`, attempted at most `max_attempts` times.
pub(in crate::attempt) fn deployment(
    id: u128,
    handler: &str,
    max_attempts: Option<u32>,
) -> StoredDeployment {
    let handler = HandlerDefinition {
        name: handler.to_owned(),
        kind: HandlerKind::Service,
        options: ServiceOptions {
            retry: RetryOptions { max_attempts, ..RetryOptions::default() },
            ..ServiceOptions::default()
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
        options: ServiceOptions::default(),
        documentation: None,
        metadata: Vec::new(),
    };
    let deployment = Deployment {
        id: DeploymentId(id),
        uri: format!("http://127.0.0.1:{id}"),
        headers: Vec::new(),
        http1: false,
        bidirectional: true,
        protocol_range: (5, 6),
        sdk: None,
        services: vec![service],
        metadata: Vec::new(),
    };
    let revisions = vec![u32::try_from(id).unwrap()];
    StoredDeployment { deployment: deployment.into(), created_at: Timestamp(0), revisions }
}

fn pin(deployment: u128, protocol: ProtocolVersion) -> Pin {
    Pin { deployment: DeploymentId(deployment), protocol }
}

/// Places an attempt of `Greeter/greet`.
fn placed(
    deployments: &[StoredDeployment],
    pin: Option<Pin>,
    node: &NodeOptions,
) -> Result<Placement, Box<Unplaced>> {
    let registry = RegistrySnapshot::new(deployments.to_vec(), Defaults::default());
    place(&registry, &StartAttempt { pin, ..start(Vec::new()) }, node)
}

const V5: ProtocolVersion = ProtocolVersion::V5;
const V6: ProtocolVersion = ProtocolVersion::V6;

#[test]
fn the_first_attempt_goes_to_the_latest_and_the_others_to_where_the_pin_says() {
    let both = [deployment(1, "greet", Some(3)), deployment(2, "greet", Some(5))];
    let node = NodeOptions::default();
    let runs = |wanted, node: &NodeOptions| {
        let placement = placed(&both, wanted, node).unwrap();
        let options = placement.options;
        assert_eq!(placement.deployment.deployment.id, options.pin.deployment);
        (options.pin, options.handler.retry.max_attempts)
    };
    assert_eq!(runs(None, &node), (pin(2, V6), Some(5)), "in what both sides speak");
    let old = NodeOptions { max_protocol: V5, ..NodeOptions::default() };
    assert_eq!(runs(None, &old), (pin(2, V5), Some(5)));
    assert_eq!(runs(Some(pin(1, V5)), &node), (pin(1, V5), Some(3)), "as it began");
    assert_eq!(
        runs(Some(pin(1, V6)), &old),
        (pin(1, V6), Some(3)),
        "it cannot be spoken otherwise"
    );
}

#[test]
fn an_attempt_that_can_run_nowhere_says_why() {
    let node = NodeOptions::default();
    let fault = |deployments: &[StoredDeployment], pin| {
        placed(deployments, pin, &node).unwrap_err().fault.to_string()
    };
    let here = [deployment(1, "greet", None)];
    assert!(fault(&[], None).contains("no deployment offers service 'Greeter'"));
    let gone = DeploymentId(9);
    assert!(fault(&here, Some(pin(9, V5))).contains(&format!("{gone} is no longer registered")));
    let spoken = fault(&here, Some(pin(1, ProtocolVersion::V7)));
    assert!(spoken.contains("supports service protocol 5 to 6, none of which"), "{spoken}");
    let other = [deployment(1, "other", None)];
    assert!(fault(&other, None).contains("no longer offers 'Greeter/greet'"));
}

#[test]
fn an_attempt_that_can_run_nowhere_keeps_its_handlers_policy_if_anybody_knows_it() {
    let tries = |deployments: &[StoredDeployment], pin| {
        let unplaced = placed(deployments, pin, &NodeOptions::default()).unwrap_err();
        unplaced.options.handler.retry.max_attempts
    };
    let server = Defaults::default().handler.retry.max_attempts;
    assert_eq!(tries(&[], Some(pin(1, V5))), server, "nobody knows");
    let both = [deployment(1, "greet", Some(3)), deployment(2, "greet", Some(5))];
    let newer = ProtocolVersion::V7;
    assert_eq!(tries(&both, Some(pin(1, newer))), Some(3), "its own, which speaks another version");
    assert_eq!(
        tries(&both, Some(pin(9, V5))),
        Some(5),
        "its own is gone: as the latest one has it"
    );
    let moved = [deployment(1, "greet", Some(3)), deployment(2, "other", Some(5))];
    assert_eq!(tries(&moved, None), Some(3), "the latest one has it no more");
    assert_eq!(tries(&[deployment(2, "other", Some(5))], None), server);
    let counts = NodeOptions { counts_unsent: true, ..NodeOptions::default() };
    assert!(placed(&[], None, &counts).unwrap_err().options.node.counts_unsent);
}
