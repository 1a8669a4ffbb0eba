//! Output: what the invocation answers.

use bytes::Bytes;
use protocol::{TerminalFailure, journal::Command};

use crate::{Vm, VmError};

impl Vm {
    /// Answers; the invocation ends with [`Vm::end`].
    ///
    /// # Errors
    /// When the journal has something else here.
    pub fn sys_output(&mut self, result: Result<Bytes, TerminalFailure>) -> Result<(), VmError> {
        self.with_running(|running| running.issue(Command::Output { result }))
    }
}
