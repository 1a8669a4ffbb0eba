//! Call: invoke another handler and wait for its result.

use protocol::journal::{CallRequest, Command};

use crate::{Handle, Vm, VmError, running::Running};

impl Vm {
    /// Calls a handler and returns two handles: one for the callee's id, one for its result.
    ///
    /// # Errors
    /// Returns an error if the journal has a different command here, or the protocol version is too
    /// old for the request.
    pub fn sys_call(&mut self, request: CallRequest) -> Result<(Handle, Handle), VmError> {
        self.with_running(|running| {
            running.check_scope(&request)?;
            let (id_handle, invocation_id_completion) = running.new_completion();
            let (handle, result_completion) = running.new_completion();
            running.callees.add(id_handle, handle);
            running.issue(Command::Call {
                request,
                invocation_id_completion,
                result_completion,
            })?;
            Ok((id_handle, handle))
        })
    }
}

impl Running {
    /// Scopes and limit keys require V7.
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
