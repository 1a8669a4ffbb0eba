//! One-way call: invoke another handler, now or later, without waiting for its answer.

use protocol::journal::{CallRequest, Command};

use crate::{Handle, Vm, VmError};

impl Vm {
    /// Sends, not before `invoke_time_ms` (milliseconds since the epoch, 0 is now): what to wait
    /// for, for the callee's id.
    ///
    /// # Errors
    /// When the journal has something else here, or the protocol is too old for the request.
    pub fn sys_send(
        &mut self,
        request: CallRequest,
        invoke_time_ms: u64,
    ) -> Result<Handle, VmError> {
        self.check_open()?;
        let checked = self.check_scope(&request);
        self.or_fail(checked)?;
        let (handle, invocation_id_completion) = self.new_completion();
        let command = Command::OneWayCall { request, invoke_time_ms, invocation_id_completion };
        let issued = self.issue(command.into());
        self.or_fail(issued).map(|()| handle)
    }
}
