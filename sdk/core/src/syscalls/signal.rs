//! Signals: values and failures sent to an invocation from outside, by name or number.

use protocol::journal::{Command, NotificationId, NotificationResult, notification::SignalId};

use crate::{Handle, Vm, VmError};

impl Vm {
    /// Returns a handle to wait for a signal. Journals nothing.
    ///
    /// # Errors
    /// Returns an error if the attempt has ended.
    pub fn sys_signal(&mut self, signal: SignalId) -> Result<Handle, VmError> {
        self.with_running(|running| Ok(running.new_handle(NotificationId::Signal(signal))))
    }

    /// Sends a signal to another invocation, given its textual id.
    ///
    /// # Errors
    /// Returns an error if the journal has a different command here.
    pub fn sys_send_signal(
        &mut self,
        target: &str,
        signal: SignalId,
        result: NotificationResult,
    ) -> Result<(), VmError> {
        let command = Command::SendSignal { target: target.to_owned(), signal, result };
        self.with_running(|running| running.issue(command))
    }
}
