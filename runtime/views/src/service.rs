//! The latest revisions of services and their handlers, with the settings in effect. Like
//! deployments, they are read from the registry's snapshot.

use protocol::{Backoff, DeploymentId, HandlerKind, ServiceKind};
use runtime_core::{
    model::deployment::{
        HandlerDefinition, InputRule, OutputRule, ServiceDefinition, ServiceOptions,
        StoredDeployment,
    },
    registry::{
        Defaults, HandlerSettings, RegistrySnapshot, RetryPolicy, Service as Known,
        snapshot::Handler as KnownHandler,
    },
};

use crate::page::{Budget, Page};

/// The latest revision of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Name of the service.
    pub name: String,
    /// Its kind, which decides whether it has keys.
    pub kind: ServiceKind,
    /// Its handlers, in the order in which the endpoint lists them.
    pub handlers: Vec<Handler>,
    /// Documentation for human readers.
    pub documentation: Option<String>,
    /// Arbitrary key/value pairs.
    pub metadata: Vec<(String, String)>,
    /// The deployment that offers this revision.
    pub deployment: DeploymentId,
    /// The revision number.
    pub revision: u32,
    /// Whether it can be called from outside.
    pub is_public: bool,
    /// How long the result of an idempotent invocation is kept, in milliseconds.
    pub idempotency_retention_ms: u64,
    /// How long a workflow's result, state and promises are kept, in milliseconds. `None` if it is
    /// not a workflow.
    pub workflow_retention_ms: Option<u64>,
    /// How long a finished journal is kept, in milliseconds.
    pub journal_retention_ms: u64,
    /// Attempt settings of handlers that have none of their own.
    pub attempts: HandlerSettings,
}

/// A handler of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handler {
    /// Name of the handler.
    pub name: String,
    /// Its kind, which decides whether it may write state.
    pub kind: HandlerKind,
    /// Documentation for human readers.
    pub documentation: Option<String>,
    /// Arbitrary key/value pairs.
    pub metadata: Vec<(String, String)>,
    /// Whether it can be called from outside.
    pub is_public: bool,
    /// The handler's own settings. The rest is inherited from its service.
    pub options: ServiceOptions,
    /// What input it accepts.
    pub input: InputRule,
    /// What output it produces.
    pub output: OutputRule,
}

impl Service {
    /// A service as stored in the registry.
    pub fn of(known: &Known, defaults: &Defaults) -> Self {
        let definition = known.definition();
        let handlers = definition
            .handlers
            .iter()
            .filter_map(|handler| Some(Handler::of(known.handler(&handler.name)?, handler)));
        let options = &definition.options;
        let workflow_retention_ms =
            || workflow_retention_ms(definition).unwrap_or(defaults.workflow_retention_ms);
        Self {
            name: definition.name.clone(),
            kind: definition.kind,
            handlers: handlers.collect(),
            documentation: definition.documentation.clone(),
            metadata: definition.metadata.clone(),
            deployment: known.deployment.deployment.id,
            revision: known.revision,
            is_public: known.is_public(),
            idempotency_retention_ms: options
                .idempotency_retention_ms
                .unwrap_or(defaults.idempotency_retention_ms),
            workflow_retention_ms: (definition.kind == ServiceKind::Workflow)
                .then(workflow_retention_ms),
            journal_retention_ms: options
                .journal_retention_ms
                .unwrap_or(defaults.journal_retention_ms),
            attempts: attempts(options, &defaults.handler),
        }
    }

    /// The services of a deployment, by name, regardless of what other deployments offer.
    pub fn all_of(stored: &StoredDeployment, defaults: &Defaults) -> Vec<Self> {
        let alone = RegistrySnapshot::new(vec![stored.clone()], defaults.clone());
        alone.services().into_iter().map(|known| Self::of(known, defaults)).collect()
    }

    fn bytes(&self) -> usize {
        text_bytes(&self.name, self.documentation.as_ref(), &self.metadata)
            + self.handlers.iter().map(Handler::bytes).sum::<usize>()
    }
}

/// Manifests set it on the workflow's run handler, and it applies to the whole service.
fn workflow_retention_ms(definition: &ServiceDefinition) -> Option<u64> {
    let run = definition.handlers.iter().find(|handler| handler.kind == HandlerKind::Workflow);
    run.and_then(|run| run.options.workflow_retention_ms)
        .or(definition.options.workflow_retention_ms)
}

fn attempts(options: &ServiceOptions, node: &HandlerSettings) -> HandlerSettings {
    let (own, backoff) = (&options.retry, &node.retry.backoff);
    HandlerSettings {
        inactivity_timeout_ms: options.inactivity_timeout_ms.unwrap_or(node.inactivity_timeout_ms),
        abort_timeout_ms: options.abort_timeout_ms.unwrap_or(node.abort_timeout_ms),
        lazy_state: options.lazy_state.unwrap_or(node.lazy_state),
        retry: RetryPolicy {
            backoff: Backoff {
                initial_interval_ms: own.initial_interval_ms.unwrap_or(backoff.initial_interval_ms),
                factor_thousandths: own.factor_thousandths.unwrap_or(backoff.factor_thousandths),
                max_interval_ms: own.max_interval_ms.unwrap_or(backoff.max_interval_ms),
            },
            max_attempts: own.max_attempts.or(node.retry.max_attempts),
            on_max_attempts: own.on_max_attempts.unwrap_or(node.retry.on_max_attempts),
        },
    }
}

impl Handler {
    fn of(known: &KnownHandler, definition: &HandlerDefinition) -> Self {
        Self {
            name: definition.name.clone(),
            kind: definition.kind,
            documentation: definition.documentation.clone(),
            metadata: definition.metadata.clone(),
            is_public: known.is_public,
            options: definition.options.clone(),
            input: definition.input.clone(),
            output: definition.output.clone(),
        }
    }

    fn bytes(&self) -> usize {
        let schemas = self.input.json_schema.iter().chain(&self.output.json_schema);
        text_bytes(&self.name, self.documentation.as_ref(), &self.metadata)
            + schemas.map(String::len).sum::<usize>()
    }
}

fn text_bytes(name: &str, documentation: Option<&String>, metadata: &[(String, String)]) -> usize {
    name.len()
        + documentation.map_or(0, String::len)
        + metadata.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>()
}

/// Reads services by name.
#[derive(Debug, Clone)]
pub struct List {
    /// Start after this name, or at the first service.
    pub after: Option<String>,
    /// Limit on how much to read.
    pub budget: Budget,
}

impl List {
    /// Reads one page.
    pub fn read(self, registry: &RegistrySnapshot) -> Page<Service, String> {
        let services = registry.services_after(self.after.as_deref());
        let rows = services
            .map(|(name, known)| (name.to_owned(), Service::of(known, registry.defaults())));
        Page::of_known(rows, self.budget, Service::bytes)
    }
}
