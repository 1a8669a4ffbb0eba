//! Attach and get output: wait for another invocation's result, or read it without waiting.

use protocol::journal::{Command, InvocationTarget};

use crate::{Handle, Vm, VmError};

impl Vm {
    /// Waits for another invocation's result.
    ///
    /// # Errors
    /// Returns an error if the journal has a different command here.
    pub fn sys_attach(&mut self, target: InvocationTarget) -> Result<Handle, VmError> {
        self.with_running(|running| {
            let (handle, completion) = running.new_completion();
            running.issue(Command::AttachInvocation { target, completion })?;
            Ok(handle)
        })
    }

    /// Reads another invocation's result without waiting; void if it has none yet.
    ///
    /// # Errors
    /// Returns an error if the journal has a different command here.
    pub fn sys_get_output(&mut self, target: InvocationTarget) -> Result<Handle, VmError> {
        self.with_running(|running| {
            let (handle, completion) = running.new_completion();
            running.issue(Command::GetInvocationOutput { target, completion })?;
            Ok(handle)
        })
    }
}
