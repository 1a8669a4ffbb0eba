//! The commands that the journal has and the handler must ask for again, in their order.

use std::collections::VecDeque;

use protocol::{
    journal::{Command, Entry, NamedCommand},
    wire,
};

use crate::error::VmError;

/// How far the handler has come.
#[derive(Debug)]
pub(crate) enum Progress {
    /// It asks for what the journal has.
    Replaying(Replay),
    /// It goes on from there; whether this attempt has added to the journal.
    Processing { has_grown: bool },
}

impl Progress {
    /// Where a handler begins that has these commands to ask for.
    pub(crate) fn new(mut commands: VecDeque<Entry>) -> Self {
        match commands.pop_front() {
            Some(next) => Self::Replaying(Replay { next, rest: commands }),
            None => Self::Processing { has_grown: false },
        }
    }

    /// The handler has asked for the journal's next command.
    pub(crate) fn advance(&mut self) {
        if let Self::Replaying(replay) = self {
            match replay.rest.pop_front() {
                Some(next) => replay.next = next,
                None => *self = Self::Processing { has_grown: false },
            }
        }
    }

    /// The attempt has added to the journal.
    pub(crate) fn grow(&mut self) {
        if let Self::Processing { has_grown } = self {
            *has_grown = true;
        }
    }

    /// Whether the attempt has added to the journal.
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
    /// The next command of the journal.
    pub(crate) fn peek(&self) -> Result<NamedCommand, VmError> {
        Ok(wire::command::decode(&self.next)?)
    }

    /// Says what differs between the next command and what the handler asks for.
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
