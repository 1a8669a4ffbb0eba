//! Why something does not go on.

mod chain;
mod facts;
mod groups;

use std::sync::Arc;

use protocol::{DeploymentId, HandlerKind, ProtocolVersion, ServiceKind};
use runtime_core::{
    model::{
        deployment::{
            Deployment, HandlerDefinition, InputRule, OutputRule, ServiceDefinition,
            ServiceOptions, StoredDeployment,
        },
        invocation::Pin,
    },
    registry::{Defaults, RegistrySnapshot},
    time::Timestamp,
};

use crate::why::Surroundings;

const DEPLOYMENT: DeploymentId = DeploymentId(1);
const PIN: Pin = Pin { deployment: DEPLOYMENT, protocol: ProtocolVersion::V6 };

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

/// A registry in which one deployment offers a service and an object.
fn surroundings() -> Surroundings {
    let service = |name: &str, kind, handlers| ServiceDefinition {
        name: name.to_owned(),
        kind,
        handlers,
        options: ServiceOptions::default(),
        documentation: None,
        metadata: Vec::new(),
    };
    let deployment = Deployment {
        id: DEPLOYMENT,
        uri: "http://host/?secret".to_owned(),
        bidirectional: true,
        http1: false,
        headers: Vec::new(),
        metadata: Vec::new(),
        protocol_range: (5, 7),
        sdk: None,
        services: vec![
            service("Greeter", ServiceKind::Service, vec![handler("greet", HandlerKind::Service)]),
            service(
                "Cart",
                ServiceKind::VirtualObject,
                vec![handler("add", HandlerKind::Exclusive)],
            ),
        ],
    };
    let stored = StoredDeployment {
        deployment: Arc::new(deployment),
        created_at: Timestamp(0),
        revisions: vec![1, 1],
    };
    let registry = Arc::new(RegistrySnapshot::new(vec![stored], Defaults::default()));
    Surroundings { registry, ingress_url: "http://ingress/".to_owned() }
}
