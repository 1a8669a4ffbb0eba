//! The public API, and the stages of an attempt.

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

/// Identifies a result that the handler may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub(crate) u32);

/// Options of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmOptions {
    /// Fail a cancelled invocation at its next wait, after cancelling its callees. If false, the
    /// handler has to wait for signal 1 itself.
    pub implicit_cancellation: bool,
    /// Whether a replayed command's payload must match the journal byte for byte.
    pub compare_payloads: bool,
    /// Disables part of the rule of [`crate::turn`], for tests that must detect it.
    #[doc(hidden)]
    pub sabotage: Option<Sabotage>,
}

/// Parts of the rule that can be disabled.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Offers the newest result that a future waits for instead of the first.
    NewestFirst,
    /// Returns an offer that was not taken to the end of the queue instead of its position.
    LosesPosition,
    /// Makes results visible as soon as they arrive instead of one at a time.
    AllAtOnce,
}

impl Default for VmOptions {
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

/// The stage of an attempt, and its state there.
#[derive(Debug)]
enum Stage {
    /// Nothing has been received yet.
    WaitingForStart { version: ProtocolVersion, options: VmOptions },
    /// Some of the known entries have yet to arrive.
    ReadingJournal(Box<Reading>),
    /// The handler runs: first it replays the journal, then it continues past it.
    Running(Box<Running>),
    /// The attempt has ended; the remaining output ends with its final frame.
    Closed(BytesMut),
}

impl Vm {
    /// Creates an attempt that speaks this protocol version.
    pub fn new(version: ProtocolVersion, options: VmOptions) -> Self {
        let decoder = FrameDecoder::new(DEFAULT_MAX_MESSAGE_SIZE_BYTES);
        Self { decoder, stage: Stage::WaitingForStart { version, options } }
    }

    /// Takes bytes from the runtime.
    ///
    /// # Errors
    /// Returns an error if they violate the protocol; the attempt has ended then.
    pub fn push(&mut self, bytes: Bytes) -> Result<(), VmError> {
        if self.has_ended() {
            return Ok(()); // Anything after the final frame is discarded.
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

    /// All known entries have arrived, so the handler can run. If they are invalid, the attempt
    /// stays closed.
    fn begin(&mut self) -> Result<(), VmError> {
        let stage = std::mem::replace(&mut self.stage, Stage::Closed(BytesMut::new()));
        if let Stage::ReadingJournal(reading) = stage {
            self.stage = Stage::Running(Box::new(reading.finish()?));
        }
        Ok(())
    }

    /// Handles the end of the runtime's input.
    ///
    /// # Errors
    /// Returns an error if the known entries were not complete; the attempt has ended then.
    pub fn close_input(&mut self) -> Result<(), VmError> {
        match &mut self.stage {
            Stage::WaitingForStart { .. } | Stage::ReadingJournal(_) => {
                let error =
                    VmError::Protocol("the input ended before the journal was complete".to_owned());
                self.or_close(Err(error))
            }
            Stage::Running(running) => {
                running.is_input_closed = true;
                Ok(())
            }
            Stage::Closed(_) => Ok(()),
        }
    }

    /// Takes the bytes to send to the runtime.
    pub fn take_output(&mut self) -> Bytes {
        match &mut self.stage {
            Stage::WaitingForStart { .. } | Stage::ReadingJournal(_) => Bytes::new(),
            Stage::Running(running) => running.output.split().freeze(),
            Stage::Closed(output) => output.split().freeze(),
        }
    }

    /// Whether the handler can run, because all known entries have arrived.
    pub fn is_ready_to_run(&self) -> bool {
        matches!(self.stage, Stage::Running(_))
    }

    /// Whether the attempt has sent its final frame.
    pub fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Closed(_))
    }

    /// Whether the handler is still repeating commands from the journal.
    pub fn is_replaying(&self) -> bool {
        self.running().is_some_and(Running::is_replaying)
    }

    /// The input of the invocation, headers and value; returned only once.
    pub fn take_input(&mut self) -> Option<Input> {
        self.running_mut().and_then(|running| running.input.take())
    }

    /// The runtime's Start message, while the handler runs.
    pub fn start(&self) -> Option<&Start> {
        self.running().map(|running| &running.start)
    }

    /// Seed for [`Random`](crate::random::Random), the same on every replay; 0 unless the handler
    /// runs.
    pub fn random_seed(&self) -> u64 {
        self.running().map_or(0, Running::random_seed)
    }

    /// Sets the current location in user code, for errors about the next command.
    pub fn locate(&mut self, site: Site) {
        if let Some(running) = self.running_mut() {
            running.site = Some(site);
        }
    }

    /// Where user code last made a request.
    pub fn site(&self) -> Option<Site> {
        self.running().and_then(|running| running.site)
    }

    /// Ends the invocation; its output must have been written before.
    ///
    /// # Errors
    /// Returns an error if the attempt has already ended.
    pub fn end(&mut self) -> Result<(), VmError> {
        self.say_last(&End.encode())
    }

    /// Ends the attempt with a retryable failure of the handler.
    ///
    /// # Errors
    /// Returns an error if the attempt has already ended.
    pub fn fail(&mut self, message: &str, stacktrace: &str) -> Result<(), VmError> {
        self.fail_with(500, message, stacktrace)
    }

    /// Ends the attempt because of a bug in the handler that retries can't fix: its code has to
    /// change.
    ///
    /// # Errors
    /// Returns an error if the attempt has already ended.
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

    /// Does something on behalf of the handler. An error ends the attempt and is reported to the
    /// runtime.
    pub(crate) fn with_running<T>(
        &mut self,
        work: impl FnOnce(&mut Running) -> Result<T, VmError>,
    ) -> Result<T, VmError> {
        let outcome = work(self.running_mut().ok_or(VmError::Closed)?);
        self.or_close(outcome)
    }

    /// Sends the final frame of an attempt whose handler is running.
    pub(crate) fn say_last(&mut self, last: &Frame) -> Result<(), VmError> {
        self.running().ok_or(VmError::Closed)?;
        self.close(Some(last));
        Ok(())
    }

    fn or_close<T>(&mut self, outcome: Result<T, VmError>) -> Result<T, VmError> {
        outcome.inspect_err(|error| self.close(Some(&error.to_attempt_error().encode())))
    }

    /// Ends the attempt, with `last` as its final frame unless that was already sent.
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
