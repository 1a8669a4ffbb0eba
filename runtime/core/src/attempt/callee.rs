//! Resolves the target of a call against the registry.

use protocol::journal::CallRequest;

use super::{Attempt, Fault};
use crate::{
    admission::{self, Entropy},
    model::invocation::Callee,
    registry::RegistrySnapshot,
};

impl Attempt {
    /// Checks a call's target and chooses the callee's id.
    pub(super) fn callee(
        &self,
        request: &CallRequest,
        registry: &RegistrySnapshot,
        entropy: &mut dyn Entropy,
    ) -> Result<Callee, Fault> {
        let facts = registry.resolve(&request.service, &request.handler)?;
        let beside = (self.start.id.partition_key, self.start.now);
        admission::callee(request, &facts, self.options.node.derivation, beside, entropy)
            .map_err(|error| Fault::InvalidCommand { message: error.to_string() })
    }
}
