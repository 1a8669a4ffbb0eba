//! The public surface, and the stages of an attempt.

use bytes::{Bytes, BytesMut};
use protocol::{
    ProtocolVersion,
    surface::code,
    wire::{
        control::{AttemptError, End, ErrorBehavior, Start},
        frame::{DEFAULT_MAX_MESSAGE_SIZE_BYTES, Frame, FrameDecoder},
    },
};

use crate::{
    error::{Site, VmError},
    reading::Reading,
    running::{Input, Running},
};

/// Names a result that the handler may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub(crate) u32);

/// How an attempt behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// A cancelled invocation fails at its next wait, after its callees were cancelled. Without it
    /// the handler waits for signal 1 itself.
    pub implicit_cancellation: bool,
    /// Whether a replayed command's payload must be the same, byte for byte.
    pub compare_payloads: bool,
    /// A part of the rule of [`crate::turn`] that is left out: for tests, which must notice.
    #[doc(hidden)]
    pub sabotage: Option<Sabotage>,
}

/// Parts of the rule that can be left out.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// The newest result that somebody waits for is offered, not the first.
    NewestFirst,
    /// An offer that nobody took goes to the end, not to its place.
    LosesPlace,
    /// Results are there as soon as they have arrived, not one at a time.
    AllAtOnce,
}

impl Default for Options {
    fn default() -> Self {
        Self { implicit_cancellation: true, compare_payloads: true, sabotage: None }
    }
}

/// One attempt at a handler.
#[derive(Debug)]
pub struct Vm {
    decoder: FrameDecoder,
    stage: Stage,
}

/// Where an attempt is, and what there is of it then.
#[derive(Debug)]
enum Stage {
    /// Nothing has come in yet.
    WaitingForStart { version: ProtocolVersion, options: Options },
    /// Some of the known entries are still to come.
    ReadingJournal(Box<Reading>),
    /// The handler runs: it replays what the journal has, then it goes on.
    Running(Box<Running>),
    /// The attempt has said its last word, the end of these bytes for the runtime.
    Closed(BytesMut),
}

impl Vm {
    /// An attempt that speaks this version.
    pub fn new(version: ProtocolVersion, options: Options) -> Self {
        let decoder = FrameDecoder::new(DEFAULT_MAX_MESSAGE_SIZE_BYTES);
        Self { decoder, stage: Stage::WaitingForStart { version, options } }
    }

    /// Takes bytes of the runtime.
    ///
    /// # Errors
    /// When they are not what the protocol says; the attempt has ended then.
    pub fn push(&mut self, bytes: Bytes) -> Result<(), VmError> {
        if self.has_ended() {
            return Ok(()); // What comes after the last word is read and forgotten.
        }
        self.decoder.push(bytes);
        let outcome = self.take_frames();
        self.or_close(outcome)
    }

    fn take_frames(&mut self) -> Result<(), VmError> {
        while let Some(frame) = self.decoder.next()? {
            match &mut self.stage {
                Stage::WaitingForStart { version, options } => {
                    let reading = Reading::new(*version, options.clone(), &frame)?;
                    self.stage = Stage::ReadingJournal(Box::new(reading));
                }
                Stage::ReadingJournal(reading) => {
                    reading.take(frame)?;
                    if reading.is_complete() {
                        self.begin()?;
                    }
                }
                Stage::Running(running) => running.results.take_frame(frame)?,
                Stage::Closed(_) => return Ok(()),
            }
        }
        Ok(())
    }

    /// The journal is there: the handler can run. If it is none, the attempt is closed.
    fn begin(&mut self) -> Result<(), VmError> {
        let stage = std::mem::replace(&mut self.stage, Stage::Closed(BytesMut::new()));
        if let Stage::ReadingJournal(reading) = stage {
            self.stage = Stage::Running(Box::new(reading.finish()?));
        }
        Ok(())
    }

    /// The runtime will say nothing more.
    ///
    /// # Errors
    /// When it has not said enough to begin with; the attempt has ended then.
    pub fn close_input(&mut self) -> Result<(), VmError> {
        match &mut self.stage {
            Stage::WaitingForStart { .. } | Stage::ReadingJournal(_) => {
                let error = VmError::Protocol("the input ended within the journal".to_owned());
                self.or_close(Err(error))
            }
            Stage::Running(running) => {
                running.is_input_closed = true;
                Ok(())
            }
            Stage::Closed(_) => Ok(()),
        }
    }

    /// Bytes for the runtime.
    pub fn take_output(&mut self) -> Bytes {
        match &mut self.stage {
            Stage::WaitingForStart { .. } | Stage::ReadingJournal(_) => Bytes::new(),
            Stage::Running(running) => running.output.split().freeze(),
            Stage::Closed(output) => output.split().freeze(),
        }
    }

    /// Whether the handler can run: everything that is known has come in.
    pub fn is_ready_to_run(&self) -> bool {
        matches!(self.stage, Stage::Running(_))
    }

    /// Whether the attempt has said its last word.
    pub fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Closed(_))
    }

    /// Whether the handler does again what the journal has.
    pub fn is_replaying(&self) -> bool {
        self.running().is_some_and(Running::is_replaying)
    }

    /// What the invocation was called with, headers and value, handed over once.
    pub fn take_input(&mut self) -> Option<Input> {
        self.running_mut().and_then(|running| running.input.take())
    }

    /// What the runtime said at the start, while the handler runs.
    pub fn start(&self) -> Option<&Start> {
        self.running().map(|running| &running.start)
    }

    /// Seeds [`Random`](crate::random::Random), the same on every replay; 0 unless the handler runs.
    pub fn random_seed(&self) -> u64 {
        self.running().map_or(0, Running::random_seed)
    }

    /// Says where user code is, for what there is to say about the next command.
    pub fn locate(&mut self, site: Site) {
        if let Some(running) = self.running_mut() {
            running.site = Some(site);
        }
    }

    /// Where user code was when it last asked for something.
    pub fn site(&self) -> Option<Site> {
        self.running().and_then(|running| running.site)
    }

    /// The invocation has ended: an output was written before.
    ///
    /// # Errors
    /// When the attempt has ended already.
    pub fn end(&mut self) -> Result<(), VmError> {
        self.say_last(&End.encode())
    }

    /// The handler failed in a way that is worth another try.
    ///
    /// # Errors
    /// When the attempt has ended already.
    pub fn fail(&mut self, message: &str, stacktrace: &str) -> Result<(), VmError> {
        self.fail_with(500, message, stacktrace)
    }

    /// The handler does something that no repetition mends: its code has to be changed.
    ///
    /// # Errors
    /// When the attempt has ended already.
    pub fn misused(&mut self, message: &str) -> Result<(), VmError> {
        self.fail_with(code::JOURNAL_MISMATCH, message, "")
    }

    fn fail_with(&mut self, code: u32, message: &str, stacktrace: &str) -> Result<(), VmError> {
        let error = AttemptError {
            code,
            message: message.to_owned(),
            stacktrace: stacktrace.to_owned(),
            related_command: None,
            next_retry_delay_ms: None,
            behavior: ErrorBehavior::Retry,
        };
        self.say_last(&error.encode())
    }

    pub(crate) fn running(&self) -> Option<&Running> {
        match &self.stage {
            Stage::Running(running) => Some(running),
            Stage::WaitingForStart { .. } | Stage::ReadingJournal(_) | Stage::Closed(_) => None,
        }
    }

    pub(crate) fn running_mut(&mut self) -> Option<&mut Running> {
        match &mut self.stage {
            Stage::Running(running) => Some(running),
            Stage::WaitingForStart { .. } | Stage::ReadingJournal(_) | Stage::Closed(_) => None,
        }
    }

    /// Does something for the handler. An error ends the attempt, and the runtime is told.
    pub(crate) fn with_running<T>(
        &mut self,
        work: impl FnOnce(&mut Running) -> Result<T, VmError>,
    ) -> Result<T, VmError> {
        let outcome = work(self.running_mut().ok_or(VmError::Closed)?);
        self.or_close(outcome)
    }

    /// Ends the attempt of a handler that runs.
    pub(crate) fn say_last(&mut self, last: &Frame) -> Result<(), VmError> {
        self.running().ok_or(VmError::Closed)?;
        self.close(Some(last));
        Ok(())
    }

    fn or_close<T>(&mut self, outcome: Result<T, VmError>) -> Result<T, VmError> {
        outcome.inspect_err(|error| self.close(Some(&error.to_attempt_error().encode())))
    }

    /// Ends the attempt, with this as its last word unless it has been said.
    pub(crate) fn close(&mut self, last: Option<&Frame>) {
        let mut output = match &mut self.stage {
            Stage::WaitingForStart { .. } | Stage::ReadingJournal(_) => BytesMut::new(),
            Stage::Running(running) => std::mem::take(&mut running.output),
            Stage::Closed(output) => std::mem::take(output),
        };
        if let Some(last) = last {
            last.encode(&mut output);
        }
        self.stage = Stage::Closed(output);
    }
}
