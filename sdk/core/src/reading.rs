//! An attempt that is receiving its known entries.

use std::collections::VecDeque;

use protocol::{
    ProtocolVersion,
    journal::{Command, Entry},
    wire::{self, control::Start, frame::Frame},
};

use crate::{error::VmError, results::Results, running::Running, vm::VmOptions};

/// What has been received of the journal so far.
#[derive(Debug)]
pub(crate) struct Reading {
    version: ProtocolVersion,
    options: VmOptions,
    start: Start,
    /// Number of known entries still to come.
    remaining: u32,
    commands: VecDeque<Entry>,
    results: Results,
}

impl Reading {
    /// Starts from the attempt's first frame.
    pub(crate) fn new(
        version: ProtocolVersion,
        options: VmOptions,
        first: &Frame,
    ) -> Result<Self, VmError> {
        let start = Start::decode(first)?;
        let remaining = start.known_entries;
        if remaining == 0 {
            return Err(VmError::Protocol("the first entry must be the input".to_owned()));
        }
        let (commands, results) = (VecDeque::new(), Results::default());
        Ok(Self { version, options, start, remaining, commands, results })
    }

    /// Takes the next known entry.
    pub(crate) fn take(&mut self, frame: Frame) -> Result<(), VmError> {
        if frame.ty.is_command() {
            self.commands.push_back(Entry { ty: frame.ty, body: frame.body });
        } else {
            self.results.take_frame(frame)?;
        }
        self.remaining = self.remaining.saturating_sub(1);
        Ok(())
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.remaining == 0
    }

    /// All known entries have arrived: the first command is the input; the handler has to issue the
    /// rest.
    pub(crate) fn finish(mut self) -> Result<Running, VmError> {
        let first = self.commands.pop_front();
        let first = first.as_ref().map(wire::command::decode).transpose()?;
        let Some(Command::Input { headers, value }) = first.map(|named| named.command) else {
            return Err(VmError::Protocol("the first entry is not the input".to_owned()));
        };
        let Self { version, options, start, commands, results, .. } = self;
        Ok(Running::new(version, options, start, (headers, value), commands, results))
    }
}
