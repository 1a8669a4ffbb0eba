//! Awakeables: a numbered signal of this invocation, completed by whoever has its id.

use bytes::Bytes;
use protocol::{
    AwakeableId, TerminalFailure,
    journal::{Command, NotificationId, notification::SignalId},
};

use crate::{Handle, Vm, VmError};

impl Vm {
    /// A new awakeable: its id, and what to wait for. Nothing is journaled for it.
    ///
    /// # Errors
    /// When the attempt has ended.
    pub fn sys_awakeable(&mut self) -> Result<(String, Handle), VmError> {
        self.with_running(|running| {
            let signal = running.new_signal();
            let handle = running.new_handle(NotificationId::Signal(SignalId::Index(signal)));
            Ok((AwakeableId { invocation: running.start.id, signal }.to_string(), handle))
        })
    }

    /// Completes somebody's awakeable.
    ///
    /// # Errors
    /// When the journal has something else here.
    pub fn sys_complete_awakeable(
        &mut self,
        id: &str,
        result: Result<Bytes, TerminalFailure>,
    ) -> Result<(), VmError> {
        let command = Command::CompleteAwakeable { id: id.to_owned(), result };
        self.with_running(|running| running.issue(command))
    }
}
