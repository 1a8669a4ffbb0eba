//! What operators change of deployments and services, and what the audit keeps of it.

use std::sync::Arc;

use protocol::DeploymentId;
use serde::{Deserialize, Serialize};

use super::{
    deployment::{Deployment, ServiceOptions},
    invocation::StatusKind,
    operator::Operator,
    state_edit::Sample,
};
use crate::time::Timestamp;

/// A change of the registry. The edge checked the registry beforehand; what counts is what is
/// registered when the record is applied. The order of the variants is persisted: append only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RegistryChange {
    /// Register what an endpoint reported in discovery.
    Register {
        /// The deployment as its endpoint describes it.
        deployment: Arc<Deployment>,
        /// If its address is already registered, replace the existing deployment.
        replace: bool,
        /// Allow a service to change its kind.
        allow_breaking: bool,
    },
    /// Change how a deployment is called, after discovery at its new address.
    Update {
        /// The deployment as it is to be called.
        deployment: Arc<Deployment>,
        /// Replace the services that it offers, whatever they were, in their revisions. Otherwise
        /// they stay as they are, and have to be offered still.
        overwrite: bool,
    },
    /// Change settings of a service. They stay until the service is discovered again.
    Configure {
        /// Name of the service.
        service: String,
        /// An absent one stays as it is.
        changes: ServiceOptions,
    },
    /// Remove a deployment.
    Remove {
        /// Which one.
        deployment: DeploymentId,
        /// Whether it was to be removed even if it is in use.
        force: bool,
        /// The unfinished invocations that were pinned to it in all partitions, as the edge counted
        /// them: this partition knows only its own.
        stranded: Vec<Stranded>,
    },
}

/// How many invocations of a service in one status a removed deployment has left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranded {
    /// Name of the service.
    pub service: String,
    /// Their status.
    pub status: StatusKind,
    /// How many.
    pub count: u64,
}

/// What was asked for, without what it would have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in `RegistryChange`")]
pub enum RegistryVerb {
    Register { replace: bool, allow_breaking: bool },
    Update { overwrite: bool },
    Configure { service: String },
    Remove { force: bool },
}

/// What has become of a change. The order of the variants is persisted: append only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeOutcome {
    /// It is done.
    Done,
    /// Nothing was registered: the address was already.
    AlreadyRegistered,
    /// Nothing was registered: a service would have changed its kind.
    KindChanged,
    /// There is no such deployment or service.
    NotFound,
    /// Nothing was changed: another deployment has the address.
    AddressTaken,
    /// Nothing was changed: the deployment would lose something that it is registered with.
    Lost,
    /// Nothing was changed: only a workflow can keep its results as one.
    NotAWorkflow,
}

/// A change of the registry, as the audit keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedChange {
    /// When it was applied.
    pub at: Timestamp,
    /// Who asked for it.
    pub operator: Operator,
    /// What was asked for.
    pub verb: RegistryVerb,
    /// The deployment that it is about: of a service, the one that offers its latest revision.
    pub deployment: Option<DeploymentId>,
    /// What became of it.
    pub outcome: ChangeOutcome,
    /// What is different afterwards, as much as the audit has space for.
    pub changes: Vec<ChangedFact>,
    /// How much more is different.
    pub changes_omitted: u64,
    /// The invocations that a removal has left behind, as many as the audit has space for.
    pub stranded: Vec<Stranded>,
    /// How many more services and statuses have some.
    pub stranded_omitted: u64,
}

/// A fact about a deployment, before and after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFact {
    /// Its name, such as `uri` or `services.Counter.abort_timeout`.
    pub key: String,
    /// The value before; `None` if there was none.
    pub before: Option<FactValue>,
    /// The value after; `None` if it is gone.
    pub after: Option<FactValue>,
}

/// The value of a fact. The order of the variants is persisted: append only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FactValue {
    /// A text.
    Text(Sample),
    /// A number.
    Number(u64),
    /// A duration in milliseconds.
    DurationMs(u64),
    /// A fraction in thousandths.
    Thousandths(u64),
    /// Yes or no.
    Flag(bool),
    /// There is one, and it is not for the audit.
    Secret,
}

impl FactValue {
    /// How many bytes it takes to keep it, except for a fixed overhead.
    pub fn kept_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.kept_bytes(),
            Self::Number(_) | Self::DurationMs(_) | Self::Thousandths(_) => size_of::<u64>(),
            Self::Flag(_) | Self::Secret => 1,
        }
    }
}
