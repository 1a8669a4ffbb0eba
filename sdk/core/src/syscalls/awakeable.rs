//! Awakeables: numbered signals of this invocation, which anyone who has the id can complete.

use bytes::Bytes;
use protocol::{
    AwakeableId, TerminalFailure,
    journal::{Command, NotificationId, notification::SignalId},
};

use crate::{Handle, Vm, VmError};

impl Vm {
    /// Creates an awakeable and returns its id and the handle to wait for. Journals nothing.
    ///
    /// # Errors
    /// Returns an error if the attempt has ended.
    pub fn sys_awakeable(&mut self) -> Result<(String, Handle), VmError> {
        self.with_running(|running| {
            let signal = running.new_signal();
            let handle = running.new_handle(NotificationId::Signal(SignalId::Index(signal)));
            Ok((AwakeableId { invocation: running.start.id, signal }.to_string(), handle))
        })
    }

    /// Completes an awakeable of any invocation.
    ///
    /// # Errors
    /// Returns an error if the journal has a different command here.
    pub fn sys_complete_awakeable(
        &mut self,
        id: &str,
        result: Result<Bytes, TerminalFailure>,
    ) -> Result<(), VmError> {
        let command = Command::CompleteAwakeable { id: id.to_owned(), result };
        self.with_running(|running| running.issue(command))
    }
}
