//! Signals: something from outside, by name.

use protocol::journal::{Command, NotificationId, NotificationResult, notification::SignalId};

use crate::{Handle, Vm, VmError};

impl Vm {
    /// A signal to wait for.
    ///
    /// # Errors
    /// When the attempt has ended.
    pub fn sys_signal(&mut self, signal: SignalId) -> Result<Handle, VmError> {
        self.with_running(|running| Ok(running.new_handle(NotificationId::Signal(signal))))
    }

    /// Sends a signal to another invocation, named by its textual id.
    ///
    /// # Errors
    /// When the journal has something else here.
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
