//! An attempt whose handler runs: what it has asked for, and what there is for it.

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
    vm::{Handle, Options},
    waiting::Waiting,
};

/// Headers and value that an invocation was called with.
pub type Input = (Vec<(String, String)>, Bytes);

/// What there is of an attempt while its handler runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) version: ProtocolVersion,
    pub(crate) options: Options,
    pub(crate) start: Start,
    /// Until the handler takes it.
    pub(crate) input: Option<Input>,
    /// Bytes for the runtime.
    pub(crate) output: BytesMut,
    /// Whether the runtime will say nothing more.
    pub(crate) is_input_closed: bool,
    pub(crate) progress: Progress,
    pub(crate) results: Results,
    pub(crate) state: StateView,
    /// Where user code is.
    pub(crate) site: Option<Site>,
    /// By the numbers of the handles.
    awaitables: Vec<Awaitable>,
    pub(crate) waiting: Waiting,
    /// Index of the next command, Input is 0.
    pub(crate) command_index: u32,
    next_completion: CompletionId,
    next_signal: u32,
    /// Runs whose results are neither proposed nor taken.
    pub(crate) runs: BTreeMap<Handle, Run>,
    pub(crate) callees: Callees,
    pub(crate) cancellation: Cancellation,
}

/// What a handle stands for.
#[derive(Debug)]
struct Awaitable {
    id: NotificationId,
    /// Where user code asked for it, as far as it is known.
    made_at: Option<Site>,
}

impl Running {
    /// The handler begins: `commands` are those that the journal has behind the input.
    pub(crate) fn new(
        version: ProtocolVersion,
        options: Options,
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

    /// The runtime's seed from V6 on, below that the first eight bytes of the SHA-256 of the
    /// invocation's id.
    pub(crate) fn random_seed(&self) -> u64 {
        if self.version.has_random_seed() {
            return self.start.random_seed;
        }
        let digest = Sha256::digest(self.start.id.to_raw());
        digest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// Issues a command: compares it with the journal, or writes it.
    pub(crate) fn issue(&mut self, named: impl Into<NamedCommand>) -> Result<(), VmError> {
        let mut named = named.into();
        if !self.version.has_failure_metadata() {
            // What cannot be written is not in the journal either, and would be missed on a replay.
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

    /// A handle for a command's completion, with the next number.
    pub(crate) fn new_completion(&mut self) -> (Handle, CompletionId) {
        let completion = self.next_completion;
        self.next_completion += 1;
        (self.new_handle(NotificationId::Completion(completion)), completion)
    }

    /// The next number of an awakeable's signal.
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

    /// What a handle waits for.
    pub(crate) fn id(&self, handle: Handle) -> NotificationId {
        // INVARIANT: handles are only made by `new_handle`.
        self.awaitables[handle.0 as usize].id.clone()
    }

    /// Where user code made a handle.
    pub(crate) fn made_at(&self, handle: Handle) -> Option<String> {
        let awaitable = self.awaitables.get(handle.0 as usize)?;
        awaitable.made_at.map(|site| site.to_string())
    }

    /// Hands over a result that came with its command, once.
    pub(crate) fn take(&mut self, handle: Handle) -> Option<NotificationResult> {
        let id = self.id(handle);
        self.results.take(&id)
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
