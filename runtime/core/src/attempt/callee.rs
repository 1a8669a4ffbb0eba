//! Who a call is for, as the registry has it.

use protocol::journal::CallRequest;

use super::{Attempt, Fault};
use crate::{
    admission::{self, Entropy, HandlerFacts},
    event::Callee,
};

/// Nobody offers what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No deployment has the service.
    #[error("service '{service}' is not registered; register the deployment that offers it")]
    UnknownService {
        /// Its name.
        service: String,
    },
    /// The latest revision of the service has no such handler.
    #[error("service '{service}' has no handler '{handler}' in its latest revision")]
    UnknownHandler {
        /// Name of the service.
        service: String,
        /// Name of the handler.
        handler: String,
    },
}

/// The part of the registry that an attempt needs.
pub trait Registry {
    /// What the latest revision says of a handler.
    fn resolve(&self, service: &str, handler: &str) -> Result<HandlerFacts, ResolveError>;
}

impl Attempt {
    /// Checks a call's target and makes up the callee.
    pub(super) fn callee(
        &self,
        request: &CallRequest,
        registry: &dyn Registry,
        entropy: &mut dyn Entropy,
    ) -> Result<Callee, Fault> {
        let facts = registry.resolve(&request.service, &request.handler)?;
        let beside = (self.start.id.partition_key, self.start.now);
        admission::callee(request, &facts, self.options.derivation, beside, entropy)
            .map_err(|error| Fault::InvalidCommand { message: error.to_string() })
    }
}
