//! Attach and get output: another invocation's result, awaited or looked at.

use protocol::journal::{Command, InvocationTarget};

use crate::{Handle, Vm, VmError};

impl Vm {
    /// Waits for another invocation's result.
    ///
    /// # Errors
    /// When the journal has something else here.
    pub fn sys_attach(&mut self, target: InvocationTarget) -> Result<Handle, VmError> {
        self.with_running(|running| {
            let (handle, completion) = running.new_completion();
            running.issue(Command::AttachInvocation { target, completion })?;
            Ok(handle)
        })
    }

    /// Looks at another invocation's result; void while there is none.
    ///
    /// # Errors
    /// When the journal has something else here.
    pub fn sys_get_output(&mut self, target: InvocationTarget) -> Result<Handle, VmError> {
        self.with_running(|running| {
            let (handle, completion) = running.new_completion();
            running.issue(Command::GetInvocationOutput { target, completion })?;
            Ok(handle)
        })
    }
}
