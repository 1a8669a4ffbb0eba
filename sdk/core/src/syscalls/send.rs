//! One-way call: invoke another handler, now or later, without waiting for its result.

use protocol::journal::{CallRequest, Command};

use crate::{Handle, Vm, VmError};

impl Vm {
    /// Sends a one-way call, to start no earlier than `invoke_time_ms` (milliseconds since the
    /// epoch; 0 means now), and returns a handle for the callee's id.
    ///
    /// # Errors
    /// Returns an error if the journal has a different command here, or the protocol version is too
    /// old for the request.
    pub fn sys_send(
        &mut self,
        request: CallRequest,
        invoke_time_ms: u64,
    ) -> Result<Handle, VmError> {
        self.with_running(|running| {
            running.check_scope(&request)?;
            let (handle, invocation_id_completion) = running.new_completion();
            let command = Command::OneWayCall { request, invoke_time_ms, invocation_id_completion };
            running.issue(command)?;
            Ok(handle)
        })
    }
}
