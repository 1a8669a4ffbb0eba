//! Sleep: a durable timer.

use protocol::journal::{Command, NamedCommand};

use crate::{Handle, Vm, VmError};

impl Vm {
    /// Sleeps until a time in milliseconds since the epoch. On replay the journal's time applies.
    ///
    /// # Errors
    /// Returns an error if the journal has a different command here.
    pub fn sys_sleep(&mut self, name: &str, wake_up_time_ms: u64) -> Result<Handle, VmError> {
        self.with_running(|running| {
            let (handle, completion) = running.new_completion();
            let command = Command::Sleep { wake_up_time_ms, completion };
            running.issue(NamedCommand { name: name.to_owned(), command })?;
            Ok(handle)
        })
    }
}
