//! The commands in the journal, which the handler has to issue again in the same order.

use std::collections::VecDeque;

use protocol::{
    journal::{Command, Entry, NamedCommand},
    wire,
};

use crate::error::VmError;

/// How far the handler has progressed.
#[derive(Debug)]
pub(crate) enum Progress {
    /// The handler is issuing commands that the journal contains.
    Replaying(Replay),
    /// The handler is past the end of the journal; `has_grown` if this attempt has appended to it.
    Processing { has_grown: bool },
}

impl Progress {
    /// The initial state for a handler that has these commands to replay.
    pub(crate) fn new(mut commands: VecDeque<Entry>) -> Self {
        match commands.pop_front() {
            Some(next) => Self::Replaying(Replay { next, rest: commands }),
            None => Self::Processing { has_grown: false },
        }
    }

    /// The handler has issued the journal's next command.
    pub(crate) fn advance(&mut self) {
        if let Self::Replaying(replay) = self {
            match replay.rest.pop_front() {
                Some(next) => replay.next = next,
                None => *self = Self::Processing { has_grown: false },
            }
        }
    }

    /// Records that the attempt has appended to the journal.
    pub(crate) fn grow(&mut self) {
        if let Self::Processing { has_grown } = self {
            *has_grown = true;
        }
    }

    /// Whether the attempt has appended to the journal.
    pub(crate) fn has_grown(&self) -> bool {
        matches!(self, Self::Processing { has_grown: true })
    }
}

/// A cursor over the known commands.
#[derive(Debug)]
pub(crate) struct Replay {
    next: Entry,
    rest: VecDeque<Entry>,
}

impl Replay {
    /// The journal's next command.
    pub(crate) fn peek(&self) -> Result<NamedCommand, VmError> {
        Ok(wire::command::decode(&self.next)?)
    }

    /// Compares the next command with the one the handler issued; an error describes the
    /// difference.
    pub(crate) fn check(
        &self,
        index: u32,
        asked: &NamedCommand,
        compare_payloads: bool,
    ) -> Result<(), VmError> {
        let known = self.peek()?;
        if is_same(&known, asked, compare_payloads) {
            Ok(())
        } else {
            Err(VmError::mismatch(index, asked, &known, self.next.ty))
        }
    }
}

/// Whether the handler issued the journal's command. Times may differ: a sleep's wake-up time is
/// computed from the clock of the attempt that first issued it.
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
