//! Output: the result of the invocation.

use bytes::Bytes;
use protocol::{TerminalFailure, journal::Command};

use crate::{Vm, VmError};

impl Vm {
    /// Sets the invocation's result; [`Vm::end`] then ends the invocation.
    ///
    /// # Errors
    /// Returns an error if the journal has a different command here.
    pub fn sys_output(&mut self, result: Result<Bytes, TerminalFailure>) -> Result<(), VmError> {
        self.with_running(|running| running.issue(Command::Output { result }))
    }
}
