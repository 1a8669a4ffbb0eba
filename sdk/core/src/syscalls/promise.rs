//! Durable promises of a workflow.

use bytes::Bytes;
use protocol::{TerminalFailure, journal::Command};

use crate::{Handle, Vm, VmError};

impl Vm {
    /// Waits for a promise.
    ///
    /// # Errors
    /// When the journal has something else here.
    pub fn sys_get_promise(&mut self, key: &str) -> Result<Handle, VmError> {
        self.with_running(|running| {
            let (handle, completion) = running.new_completion();
            running.issue(Command::GetPromise { key: key.to_owned(), completion })?;
            Ok(handle)
        })
    }

    /// Looks at a promise; void while it is not completed.
    ///
    /// # Errors
    /// When the journal has something else here.
    pub fn sys_peek_promise(&mut self, key: &str) -> Result<Handle, VmError> {
        self.with_running(|running| {
            let (handle, completion) = running.new_completion();
            running.issue(Command::PeekPromise { key: key.to_owned(), completion })?;
            Ok(handle)
        })
    }

    /// Completes a promise: void, or a failure when it was completed before.
    ///
    /// # Errors
    /// When the journal has something else here.
    pub fn sys_complete_promise(
        &mut self,
        key: &str,
        result: Result<Bytes, TerminalFailure>,
    ) -> Result<Handle, VmError> {
        self.with_running(|running| {
            let (handle, completion) = running.new_completion();
            running.issue(Command::CompletePromise { key: key.to_owned(), result, completion })?;
            Ok(handle)
        })
    }
}
