//! Call: invoke another handler and wait for its answer.

use protocol::journal::{CallRequest, Command};

use crate::{Handle, Vm, VmError};

impl Vm {
    /// Calls: what to wait for, for the callee's id and for its answer.
    ///
    /// # Errors
    /// When the journal has something else here, or the protocol is too old for the request.
    pub fn sys_call(&mut self, request: CallRequest) -> Result<(Handle, Handle), VmError> {
        self.check_open()?;
        let checked = self.check_scope(&request);
        self.or_fail(checked)?;
        let (id_handle, invocation_id_completion) = self.new_completion();
        let (handle, result_completion) = self.new_completion();
        self.callees.push_back((id_handle, handle));
        let command = Command::Call { request, invocation_id_completion, result_completion };
        let issued = self.issue(command.into());
        self.or_fail(issued).map(|()| (id_handle, handle))
    }

    /// Scopes and limit keys are new with V7.
    pub(crate) fn check_scope(&self, request: &CallRequest) -> Result<(), VmError> {
        let is_scoped = request.scope.is_some() || request.limit_key.is_some();
        if is_scoped && !self.version.has_scope() {
            return Err(VmError::Unsupported {
                feature: "a scope",
                needed: 7,
                spoken: self.version.number(),
            });
        }
        Ok(())
    }
}
