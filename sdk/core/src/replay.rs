//! The commands that the journal has and the handler must ask for again, in their order.

use std::collections::VecDeque;

use protocol::{
    journal::{Command, Entry, NamedCommand},
    wire,
};

use crate::error::VmError;

/// A cursor over the known commands.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    commands: VecDeque<Entry>,
}

impl Replay {
    pub(crate) fn push(&mut self, entry: Entry) {
        self.commands.push_back(entry);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// The next command of the journal.
    pub(crate) fn peek(&self) -> Result<Option<NamedCommand>, VmError> {
        Ok(self.commands.front().map(wire::command::decode).transpose()?)
    }

    /// Takes the first command, which is not asked for.
    pub(crate) fn take_first(&mut self) -> Result<Option<NamedCommand>, VmError> {
        let first = self.commands.pop_front();
        Ok(first.as_ref().map(wire::command::decode).transpose()?)
    }

    /// Takes the next command if it is what the handler asks for; says what differs if not.
    pub(crate) fn take(
        &mut self,
        index: u32,
        asked: &NamedCommand,
        compare_payloads: bool,
    ) -> Result<(), VmError> {
        let Some(entry) = self.commands.pop_front() else { return Err(VmError::Closed) };
        let known = wire::command::decode(&entry)?;
        if is_same(&known, asked, compare_payloads) {
            Ok(())
        } else {
            Err(VmError::mismatch(index, asked, &known, entry.ty))
        }
    }
}

/// Whether the journal's command is the one that is asked for. Times may differ: a sleep's end is
/// computed from the clock of the attempt that issued it.
fn is_same(known: &NamedCommand, asked: &NamedCommand, compare_payloads: bool) -> bool {
    if known.name != asked.name {
        return false;
    }
    match (&known.command, &asked.command) {
        (Command::Sleep { completion: known, .. }, Command::Sleep { completion: asked, .. }) => {
            known == asked
        }
        (
            Command::OneWayCall { request: known, invocation_id_completion: known_id, .. },
            Command::OneWayCall { request: asked, invocation_id_completion: asked_id, .. },
        ) => {
            let mut asked = asked.clone();
            if !compare_payloads {
                asked.parameter = known.parameter.clone();
            }
            known == &asked && known_id == asked_id
        }
        (known, asked) if compare_payloads => known == asked,
        (known, asked) => std::mem::discriminant(known) == std::mem::discriminant(asked),
    }
}
