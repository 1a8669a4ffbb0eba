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
        self.check_open()?;
        let signal = self.next_signal;
        self.next_signal += 1;
        let Some(invocation) = self.start().map(|start| start.id) else {
            return Err(VmError::Closed);
        };
        let handle = self.new_handle(NotificationId::Signal(SignalId::Index(signal)));
        Ok((AwakeableId { invocation, signal }.to_string(), handle))
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
        self.check_open()?;
        let issued = self.issue(Command::CompleteAwakeable { id: id.to_owned(), result }.into());
        self.or_fail(issued)
    }
}
