//! The public surface, and the stages of an attempt.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use protocol::{
    ProtocolVersion,
    journal::{Command, CompletionId, Entry, NamedCommand, NotificationId, NotificationResult},
    wire::{
        self, MessageType,
        control::{AttemptError, End, ErrorBehavior, RunAck, Start},
        frame::{DEFAULT_MAX_MESSAGE_SIZE_BYTES, Frame, FrameDecoder},
    },
};
use sha2::{Digest, Sha256};

use crate::{
    error::{JOURNAL_MISMATCH, Site, VmError},
    random::Random,
    replay::Replay,
    results::Results,
    syscalls::{run::RunState, state::StateView},
    turn::Waiting,
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

/// Where an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing has come in yet.
    Starting,
    /// So many known entries are still to come.
    Loading { remaining: u32 },
    /// The handler asks for what the journal has.
    Replaying,
    /// The handler goes on.
    Processing,
    /// The attempt has said its last word.
    Closed,
}

/// One attempt at a handler.
#[derive(Debug)]
pub struct Vm {
    pub(crate) version: ProtocolVersion,
    pub(crate) options: Options,
    pub(crate) stage: Stage,
    decoder: FrameDecoder,
    output: BytesMut,
    pub(crate) is_input_closed: bool,
    start: Option<Start>,
    input: Option<(Vec<(String, String)>, Bytes)>,
    pub(crate) replay: Replay,
    pub(crate) results: Results,
    pub(crate) view: StateView,
    /// What each handle waits for.
    handles: Vec<NotificationId>,
    /// Where user code made each handle, as far as it is known.
    origins: Vec<Option<Site>>,
    /// Where user code is.
    pub(crate) site: Option<Site>,
    pub(crate) waiting: Waiting,
    pub(crate) command_index: u32,
    pub(crate) next_completion: CompletionId,
    pub(crate) next_signal: u32,
    pub(crate) runs: BTreeMap<Handle, RunState>,
    /// Where in the journal each run stands, among the commands.
    pub(crate) run_commands: BTreeMap<Handle, u32>,
    /// Results that were proposed and not yet answered.
    pub(crate) proposed: BTreeMap<CompletionId, NotificationResult>,
    /// Handles of the callees' ids and answers, for a cancellation.
    pub(crate) callees: VecDeque<(Handle, Handle)>,
    /// Ids of callees that the handler has taken already.
    pub(crate) known_callees: BTreeMap<Handle, NotificationResult>,
    /// Handles of the ids of callees still to be told, while a cancellation is under way.
    pub(crate) cancelling: Option<VecDeque<Handle>>,
    /// Whether this attempt has added to the journal.
    pub(crate) has_grown: bool,
}

impl Vm {
    /// An attempt that speaks this version.
    pub fn new(version: ProtocolVersion, options: Options) -> Self {
        Self {
            version,
            options,
            stage: Stage::Starting,
            decoder: FrameDecoder::new(DEFAULT_MAX_MESSAGE_SIZE_BYTES),
            output: BytesMut::new(),
            is_input_closed: false,
            start: None,
            input: None,
            replay: Replay::default(),
            results: Results::default(),
            view: StateView::default(),
            handles: Vec::new(),
            origins: Vec::new(),
            site: None,
            waiting: Waiting::default(),
            command_index: 0,
            next_completion: 1,
            next_signal: protocol::journal::notification::FIRST_AWAKEABLE_SIGNAL,
            runs: BTreeMap::new(),
            run_commands: BTreeMap::new(),
            proposed: BTreeMap::new(),
            callees: VecDeque::new(),
            known_callees: BTreeMap::new(),
            cancelling: None,
            has_grown: false,
        }
    }

    /// Takes bytes of the runtime.
    ///
    /// # Errors
    /// When they are not what the protocol says; the attempt has ended then.
    pub fn push(&mut self, bytes: Bytes) -> Result<(), VmError> {
        if self.stage == Stage::Closed {
            return Ok(()); // What comes after the last word is read and forgotten.
        }
        self.decoder.push(bytes);
        let outcome = self.take_frames();
        self.or_fail(outcome)
    }

    /// The runtime will say nothing more.
    ///
    /// # Errors
    /// When it has not said enough to begin with; the attempt has ended then.
    pub fn close_input(&mut self) -> Result<(), VmError> {
        self.is_input_closed = true;
        match self.stage {
            Stage::Starting | Stage::Loading { .. } => {
                let error = VmError::Protocol("the input ended within the journal".to_owned());
                self.or_fail(Err(error))
            }
            Stage::Replaying | Stage::Processing | Stage::Closed => Ok(()),
        }
    }

    /// Bytes for the runtime.
    pub fn take_output(&mut self) -> Bytes {
        self.output.split().freeze()
    }

    /// Whether the handler can run: everything that is known has come in.
    pub fn is_ready_to_run(&self) -> bool {
        matches!(self.stage, Stage::Replaying | Stage::Processing)
    }

    /// Whether the attempt has said its last word.
    pub fn has_ended(&self) -> bool {
        self.stage == Stage::Closed
    }

    /// What the invocation was called with, headers and value, handed over once.
    pub fn take_input(&mut self) -> Option<(Vec<(String, String)>, Bytes)> {
        self.input.take()
    }

    /// What the runtime said at the start.
    pub fn start(&self) -> Option<&Start> {
        self.start.as_ref()
    }

    /// The seed of the invocation's random numbers: the runtime's from V6 on, below that the first
    /// eight bytes of the SHA-256 of the invocation's id.
    pub fn random_seed(&self) -> u64 {
        let Some(start) = &self.start else { return 0 };
        if self.version.has_random_seed() {
            return start.random_seed;
        }
        let digest = Sha256::digest(start.id.to_raw());
        digest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// Random numbers that are the same on every replay.
    pub fn random(&self) -> Random {
        Random::new(self.random_seed())
    }

    /// Hands over a result that came with its command, once.
    pub fn take(&mut self, handle: Handle) -> Option<NotificationResult> {
        let id = self.id(handle);
        self.results.take(&id)
    }

    /// Says where user code is, for what there is to say about the next command.
    pub fn locate(&mut self, site: Site) {
        self.site = Some(site);
    }

    /// Where user code was when it last asked for something.
    pub fn site(&self) -> Option<Site> {
        self.site
    }

    /// Whether the handler does again what the journal has.
    pub fn is_replaying(&self) -> bool {
        self.stage == Stage::Replaying
    }

    /// The invocation has ended: an output was written before.
    ///
    /// # Errors
    /// When the attempt has ended already.
    pub fn end(&mut self) -> Result<(), VmError> {
        self.check_open()?;
        self.write(&End.encode());
        self.stage = Stage::Closed;
        Ok(())
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
        self.fail_with(JOURNAL_MISMATCH, message, "")
    }

    fn fail_with(&mut self, code: u32, message: &str, stacktrace: &str) -> Result<(), VmError> {
        self.check_open()?;
        self.write_error(&AttemptError {
            code,
            message: message.to_owned(),
            stacktrace: stacktrace.to_owned(),
            related_command: None,
            next_retry_delay_ms: None,
            behavior: ErrorBehavior::Retry,
        });
        Ok(())
    }

    /// Issues a command: compares it with the journal, or writes it.
    pub(crate) fn issue(&mut self, mut named: NamedCommand) -> Result<(), VmError> {
        if !self.version.has_failure_metadata() {
            // What cannot be written is not in the journal either, and would be missed on a replay.
            drop_metadata(&mut named.command);
        }
        let index = self.command_index;
        self.command_index += 1;
        match self.stage {
            Stage::Replaying => {
                self.replay
                    .take(index, &named, self.options.compare_payloads)
                    .map_err(|error| error.at(self.site))?;
                if self.replay.is_empty() {
                    self.stage = Stage::Processing;
                }
                Ok(())
            }
            Stage::Processing => {
                let Entry { ty, body } = wire::command::encode(&named, self.version);
                self.write(&Frame::new(ty, body));
                self.has_grown = true;
                Ok(())
            }
            Stage::Starting | Stage::Loading { .. } | Stage::Closed => Err(VmError::Closed),
        }
    }

    /// A handle for a command's completion, with the next number.
    pub(crate) fn new_completion(&mut self) -> (Handle, CompletionId) {
        let completion = self.next_completion;
        self.next_completion += 1;
        (self.new_handle(NotificationId::Completion(completion)), completion)
    }

    pub(crate) fn new_handle(&mut self, id: NotificationId) -> Handle {
        let handle = Handle(u32::try_from(self.handles.len()).unwrap_or(u32::MAX));
        self.waiting.know(handle, &id);
        self.handles.push(id);
        self.origins.push(self.site);
        handle
    }

    /// Where user code made a handle.
    pub(crate) fn made_at(&self, handle: Handle) -> Option<String> {
        self.origins.get(handle.0 as usize).copied().flatten().map(|site| site.to_string())
    }

    pub(crate) fn id(&self, handle: Handle) -> NotificationId {
        // INVARIANT: handles are only made by `new_handle`.
        self.handles[handle.0 as usize].clone()
    }

    pub(crate) fn check_open(&self) -> Result<(), VmError> {
        if self.is_ready_to_run() { Ok(()) } else { Err(VmError::Closed) }
    }

    /// An error ends the attempt, and the runtime is told.
    pub(crate) fn or_fail<T>(&mut self, outcome: Result<T, VmError>) -> Result<T, VmError> {
        if let Err(error) = &outcome
            && self.stage != Stage::Closed
        {
            self.write_error(&error.to_attempt_error());
        }
        outcome
    }

    pub(crate) fn write_error(&mut self, error: &AttemptError) {
        self.write(&error.encode());
        self.stage = Stage::Closed;
    }

    pub(crate) fn write(&mut self, frame: &Frame) {
        frame.encode(&mut self.output);
    }

    fn take_frames(&mut self) -> Result<(), VmError> {
        while self.stage != Stage::Closed {
            let Some(frame) = self.decoder.next()? else { return Ok(()) };
            self.take_frame(frame)?;
        }
        Ok(())
    }

    fn take_frame(&mut self, frame: Frame) -> Result<(), VmError> {
        match self.stage {
            Stage::Starting => {
                let start = Start::decode(&frame)?;
                if start.known_entries == 0 {
                    return Err(VmError::Protocol("an attempt begins with its input".to_owned()));
                }
                self.view = StateView::new(&start);
                self.stage = Stage::Loading { remaining: start.known_entries };
                self.start = Some(start);
            }
            Stage::Loading { remaining } => {
                if frame.ty.is_command() {
                    self.replay.push(Entry { ty: frame.ty, body: frame.body });
                } else {
                    self.take_notification(frame)?;
                }
                self.stage = Stage::Loading { remaining: remaining - 1 };
                if remaining == 1 {
                    self.begin()?;
                }
            }
            Stage::Replaying | Stage::Processing | Stage::Closed => {
                self.take_notification(frame)?
            }
        }
        Ok(())
    }

    /// All known entries are there: the first is the input.
    fn begin(&mut self) -> Result<(), VmError> {
        let first = self.replay.take_first()?.map(|named| named.command);
        let Some(Command::Input { headers, value }) = first else {
            return Err(VmError::Protocol("the first entry is not the input".to_owned()));
        };
        self.input = Some((headers, value));
        self.command_index = 1;
        self.stage = if self.replay.is_empty() { Stage::Processing } else { Stage::Replaying };
        Ok(())
    }

    fn take_notification(&mut self, frame: Frame) -> Result<(), VmError> {
        if frame.ty == MessageType::PROPOSE_RUN_COMPLETION_ACK {
            let RunAck { completion } = RunAck::decode(&frame)?;
            let Some(result) = self.proposed.remove(&completion) else {
                let message = format!("run {completion} is acknowledged but was not proposed");
                return Err(VmError::Protocol(message));
            };
            self.results.receive(NotificationId::Completion(completion), result);
            return Ok(());
        }
        if !frame.ty.is_notification() {
            return Err(VmError::Protocol(format!("{:?} is not for an SDK now", frame.ty)));
        }
        let notification = wire::notification::decode(&Entry { ty: frame.ty, body: frame.body })?;
        if let NotificationId::Completion(completion) = notification.id {
            self.proposed.remove(&completion);
        }
        self.results.receive(notification.id, notification.result);
        Ok(())
    }
}

/// A failure as an old protocol carries it.
fn drop_metadata(command: &mut Command) {
    match command {
        Command::Output { result: Err(failure) }
        | Command::CompletePromise { result: Err(failure), .. }
        | Command::CompleteAwakeable { result: Err(failure), .. }
        | Command::SendSignal { result: NotificationResult::Failure(failure), .. } => {
            failure.metadata.clear();
        }
        Command::Input { .. }
        | Command::Output { .. }
        | Command::GetLazyState { .. }
        | Command::SetState { .. }
        | Command::ClearState { .. }
        | Command::ClearAllState
        | Command::GetLazyStateKeys { .. }
        | Command::GetEagerState { .. }
        | Command::GetEagerStateKeys { .. }
        | Command::GetPromise { .. }
        | Command::PeekPromise { .. }
        | Command::CompletePromise { .. }
        | Command::Sleep { .. }
        | Command::Call { .. }
        | Command::OneWayCall { .. }
        | Command::SendSignal { .. }
        | Command::Run { .. }
        | Command::AttachInvocation { .. }
        | Command::GetInvocationOutput { .. }
        | Command::CompleteAwakeable { .. } => (),
    }
}
