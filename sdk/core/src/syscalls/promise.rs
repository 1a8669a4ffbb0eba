//! A workflow's durable promises.

use bytes::Bytes;
use protocol::{TerminalFailure, journal::Command};

use crate::{Handle, Vm, VmError};

impl Vm {
    /// Waits for a promise.
    ///
    /// # Errors
    /// Returns an error if the journal has a different command here.
    pub fn sys_get_promise(&mut self, key: &str) -> Result<Handle, VmError> {
        self.with_running(|running| {
            let (handle, completion) = running.new_completion();
            running.issue(Command::GetPromise { key: key.to_owned(), completion })?;
            Ok(handle)
        })
    }

    /// Reads a promise without waiting; void if it is not completed yet.
    ///
    /// # Errors
    /// Returns an error if the journal has a different command here.
    pub fn sys_peek_promise(&mut self, key: &str) -> Result<Handle, VmError> {
        self.with_running(|running| {
            let (handle, completion) = running.new_completion();
            running.issue(Command::PeekPromise { key: key.to_owned(), completion })?;
            Ok(handle)
        })
    }

    /// Completes a promise. The result is void, or a failure if it was already completed.
    ///
    /// # Errors
    /// Returns an error if the journal has a different command here.
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
