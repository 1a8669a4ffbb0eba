//! Sleep: over when its time has come.

use protocol::journal::{Command, NamedCommand};

use crate::{Handle, Vm, VmError};

impl Vm {
    /// Sleeps until a moment, in milliseconds since the epoch. On replay the journal's counts.
    ///
    /// # Errors
    /// When the journal has something else here.
    pub fn sys_sleep(&mut self, name: &str, wake_up_time_ms: u64) -> Result<Handle, VmError> {
        self.check_open()?;
        let (handle, completion) = self.new_completion();
        let command = Command::Sleep { wake_up_time_ms, completion };
        let issued = self.issue(NamedCommand { name: name.to_owned(), command });
        self.or_fail(issued).map(|()| handle)
    }
}
