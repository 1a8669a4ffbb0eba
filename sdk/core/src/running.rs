//! An attempt whose handler is running: what it has requested, and what is available to it.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use protocol::{
    ProtocolVersion,
    journal::{
        Command, CompletionId, Entry, NamedCommand, NotificationId, NotificationResult,
        notification::FIRST_AWAKEABLE_SIGNAL,
    },
    wire::{self, control::Start, frame::Frame},
};
use sha2::{Digest, Sha256};

use crate::{
    cancellation::{Callees, Cancellation},
    error::{Site, VmError},
    replay::Progress,
    results::Results,
    syscalls::{run::Run, state::StateView},
    vm::{Handle, VmOptions},
    waiting::Waiting,
};

/// The headers and the value that an invocation was called with.
pub type Input = (Vec<(String, String)>, Bytes);

/// The state of an attempt while its handler runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) version: ProtocolVersion,
    pub(crate) options: VmOptions,
    pub(crate) start: Start,
    /// `None` once the handler has taken it.
    pub(crate) input: Option<Input>,
    /// Bytes to send to the runtime.
    pub(crate) output: BytesMut,
    /// Whether the runtime's input has ended.
    pub(crate) is_input_closed: bool,
    pub(crate) progress: Progress,
    pub(crate) results: Results,
    pub(crate) state: StateView,
    /// The current location in user code.
    pub(crate) site: Option<Site>,
    /// Indexed by the number of the handle.
    awaitables: Vec<Awaitable>,
    pub(crate) waiting: Waiting,
    /// Index of the next command; Input is 0.
    pub(crate) command_index: u32,
    next_completion: CompletionId,
    next_signal: u32,
    /// Runs whose results have been neither proposed nor taken.
    pub(crate) runs: BTreeMap<Handle, Run>,
    pub(crate) callees: Callees,
    pub(crate) cancellation: Cancellation,
}

/// What a handle refers to.
#[derive(Debug)]
struct Awaitable {
    id: NotificationId,
    /// Where user code requested it, if known.
    made_at: Option<Site>,
}

impl Running {
    /// Starts the handler: `commands` are those that follow the input in the journal.
    pub(crate) fn new(
        version: ProtocolVersion,
        options: VmOptions,
        start: Start,
        input: Input,
        commands: VecDeque<Entry>,
        results: Results,
    ) -> Self {
        Self {
            version,
            options,
            state: StateView::new(&start),
            start,
            input: Some(input),
            output: BytesMut::new(),
            is_input_closed: false,
            progress: Progress::new(commands),
            results,
            site: None,
            awaitables: Vec::new(),
            waiting: Waiting::default(),
            command_index: 1,
            next_completion: 1,
            next_signal: FIRST_AWAKEABLE_SIGNAL,
            runs: BTreeMap::new(),
            callees: Callees::default(),
            cancellation: Cancellation::None,
        }
    }

    pub(crate) fn is_replaying(&self) -> bool {
        matches!(self.progress, Progress::Replaying(_))
    }

    /// The runtime's seed from V6 on; below that, the first eight bytes of the SHA-256 of the
    /// invocation id.
    pub(crate) fn random_seed(&self) -> u64 {
        if self.version.has_random_seed() {
            return self.start.random_seed;
        }
        let digest = Sha256::digest(self.start.id.to_raw());
        digest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// Issues a command: compares it with the journal while replaying, otherwise sends it.
    pub(crate) fn issue(&mut self, named: impl Into<NamedCommand>) -> Result<(), VmError> {
        let mut named = named.into();
        if !self.version.has_failure_metadata() {
            // What can't be encoded is not in the journal either, so a replay would report a
            // mismatch.
            drop_metadata(&mut named.command);
        }
        let index = self.command_index;
        self.command_index += 1;
        match &self.progress {
            Progress::Replaying(replay) => {
                replay
                    .check(index, &named, self.options.compare_payloads)
                    .map_err(|error| error.at(self.site))?;
                self.progress.advance();
            }
            Progress::Processing { .. } => {
                let Entry { ty, body } = wire::command::encode(&named, self.version);
                self.write(&Frame::new(ty, body));
                self.progress.grow();
            }
        }
        Ok(())
    }

    pub(crate) fn write(&mut self, frame: &Frame) {
        frame.encode(&mut self.output);
    }

    /// A handle for a command's completion, with the next completion id.
    pub(crate) fn new_completion(&mut self) -> (Handle, CompletionId) {
        let completion = self.next_completion;
        self.next_completion += 1;
        (self.new_handle(NotificationId::Completion(completion)), completion)
    }

    /// Allocates the next signal number for an awakeable.
    pub(crate) fn new_signal(&mut self) -> u32 {
        let signal = self.next_signal;
        self.next_signal += 1;
        signal
    }

    pub(crate) fn new_handle(&mut self, id: NotificationId) -> Handle {
        let handle = Handle(u32::try_from(self.awaitables.len()).unwrap_or(u32::MAX));
        self.waiting.know(handle, &id);
        self.awaitables.push(Awaitable { id, made_at: self.site });
        handle
    }

    /// The notification that a handle waits for.
    pub(crate) fn id(&self, handle: Handle) -> NotificationId {
        // INVARIANT: only `new_handle` creates handles.
        self.awaitables[handle.0 as usize].id.clone()
    }

    /// Where user code created a handle, if known.
    pub(crate) fn made_at(&self, handle: Handle) -> Option<String> {
        let awaitable = self.awaitables.get(handle.0 as usize)?;
        awaitable.made_at.map(|site| site.to_string())
    }

    /// Takes a result that was available along with its command; returns it only once.
    pub(crate) fn take(&mut self, handle: Handle) -> Option<NotificationResult> {
        let id = self.id(handle);
        self.results.take(&id)
    }
}

/// Drops what an old protocol version can't carry.
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
