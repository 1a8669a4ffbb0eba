//! The Attempt state machine: one conversation with an SDK about one invocation.
//!
//! ```text
//!             open                    half-close: idle too long,
//!   (new) ----------> Streaming --------- request/response -------> Draining
//!                        |  ^                                          |
//!                        |  +-- frames in, notifications out           | frames in
//!                        |                                             |
//!                        +---- Suspension, End, Error, a fault --------+---> Ended
//! ```
//!
//! The shell moves bytes. It calls [`Attempt::open`] once, then [`Attempt::receive`] for each chunk
//! of the response, however it is split, [`Attempt::notify`] for each entry that the partition
//! sends it, [`Attempt::broken`] when the transport fails, and [`Attempt::on_timeout`] when
//! [`Attempt::deadline_ms`] has passed, and carries out the [`Output`]s in order.
//! [`Output::Finish`] is always the last one.
//!
//! Times come from the shell: `now_ms` is a monotonic clock, `wall_ms` the wall-clock time against
//! which an SDK's absolute times are interpreted.
//!
//! The machine holds no state that must survive a crash: everything durable is in the events it
//! proposes.

mod callee;
mod cut;
mod fault;
mod options;
mod pending_completions;
pub mod place;
mod receive;
mod replay;
pub mod retry;

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};
use protocol::{
    ProtocolVersion,
    journal::{CompletionId, Entry, EntryIndex},
    wire::{
        MessageType,
        control::RunAck,
        frame::{Frame, FrameDecoder},
    },
};

use crate::{
    admission::Entropy,
    effect::StartAttempt,
    event::Event,
    model::{ids::AttemptRef, invocation::AttemptFailure},
};

pub use fault::{CODE_UNKNOWN_TARGET, Fault};
pub use options::{AttemptOptions, NodeOptions};
use pending_completions::PendingCompletions;
pub use place::{Placement, Unplaced, place};

/// Bodies up to this size are copied into a buffer with their header; larger ones are sent without
/// copying.
const COPIED_BODY_BYTES_MAX: usize = 16 * 1024;

/// An action for the shell to carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "outputs are consumed immediately, and most of them are events"
)]
pub enum Output {
    /// Write to the request body.
    Send(Bytes),
    /// Propose the event to the partition.
    Propose(Event),
    /// End the request body; keep reading the response.
    HalfClose,
    /// The attempt is over: end the request body, briefly drain the response, and release the
    /// stream.
    Finish,
}

/// One attempt's conversation with an SDK.
#[derive(Debug)]
pub struct Attempt {
    name: AttemptRef,
    options: AttemptOptions,
    state: State,
    /// Whether the SDK has sent its final frame.
    is_last_said: bool,
    decoder: FrameDecoder,
    /// The attempt's input; opening takes the journal and the state out of it.
    start: StartAttempt,
    /// Entries before this index have been sent to the SDK.
    seen: EntryIndex,
    /// The number of commands in the journal, including this attempt's own, and so the index of the
    /// next one.
    commands: u32,
    /// Whether the journal contains an Output command.
    has_output: bool,
    /// Whether the first event that stores something must be preceded by one that pins the
    /// deployment.
    is_pin_owed: bool,
    /// The completions requested by the commands in the journal, including this attempt's own.
    asked: PendingCompletions,
    /// Runs of this attempt whose proposal requested an acknowledgement instead of the full
    /// completion.
    acknowledge: BTreeSet<CompletionId>,
    /// When the last frame was received or sent, by the shell's monotonic clock, in milliseconds.
    last_frame_ms: u64,
    outputs: Vec<Output>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The request body is open.
    Streaming,
    /// The request body was closed early to yield the permit to other attempts; the response
    /// continues.
    GivingWay,
    /// The request body has ended; the response continues.
    Draining,
    /// A terminal frame or a fault ended the attempt.
    Ended,
}

impl Attempt {
    /// Creates an attempt that has not opened its stream yet.
    pub fn new(start: StartAttempt, options: AttemptOptions) -> Self {
        let is_pin_owed = start.pin.is_none();
        Self {
            name: start.attempt,
            state: State::Streaming,
            is_last_said: false,
            decoder: FrameDecoder::new(options.node.message_bytes_max),
            options,
            start,
            seen: 0,
            commands: 0,
            has_output: false,
            is_pin_owed,
            asked: PendingCompletions::default(),
            acknowledge: BTreeSet::new(),
            last_frame_ms: 0,
            outputs: Vec::new(),
        }
    }

    /// The invocation and the LSN that identify this attempt.
    pub fn name(&self) -> AttemptRef {
        self.name
    }

    /// The input it was started with; journal and state are empty once it has been opened.
    pub fn start(&self) -> &StartAttempt {
        &self.start
    }

    /// The protocol version spoken with the SDK.
    pub fn version(&self) -> ProtocolVersion {
        self.options.pin.protocol
    }

    /// Sends the opening frames: Start and the journal. Must be called once, before anything else.
    ///
    /// # Panics
    /// Panics if it is called twice.
    pub fn open(&mut self, now_ms: u64) {
        assert!(self.commands == 0, "{:?} is opened twice", self.name);
        self.last_frame_ms = now_ms;
        self.replay();
        let is_asked = self.start.is_pausing || self.options.handler.inactivity_timeout_ms == 0;
        if !self.options.bidirectional || is_asked {
            self.half_close();
        }
    }

    /// Sends a journal entry that the SDK has not seen, if the request body is still open.
    pub fn notify(&mut self, now_ms: u64, index: EntryIndex, entry: Entry) {
        // An attempt that was restarted after a crash may already have it in its replay.
        if self.state != State::Streaming || index < self.seen {
            return;
        }
        self.last_frame_ms = now_ms;
        self.seen = index + 1;
        if let Some(completion) = self.acknowledged_run(&entry) {
            let frame = RunAck { completion }.encode();
            self.send(frame);
        } else {
            self.send(Frame { ty: entry.ty, flags: 0, body: entry.body });
        }
    }

    /// The size in bytes of the message that has arrived in part; `None` if there is none, or its
    /// length has not arrived yet.
    pub fn expected_bytes(&self) -> Option<usize> {
        self.decoder.expected_bytes().filter(|_| !self.has_ended())
    }

    /// The transport failed, or the response ended without a terminal frame.
    pub fn broken(&mut self, fault: Fault, entropy: &mut dyn Entropy) {
        if self.state != State::Ended {
            self.fail(fault, entropy);
        }
    }

    /// When [`Self::on_timeout`] must be called, by the clock of `now_ms`; `None` once the attempt
    /// has ended.
    pub fn deadline_ms(&self) -> Option<u64> {
        let timeout_ms = match self.state {
            // An attempt that yields its permit keeps its full inactivity timeout.
            State::Streaming | State::GivingWay => self.options.handler.inactivity_timeout_ms,
            State::Draining => self.options.handler.abort_timeout_ms,
            State::Ended => return None,
        };
        Some(self.last_frame_ms.saturating_add(timeout_ms))
    }

    /// Handles an expired deadline: half-closes an idle stream, and fails an attempt that does not
    /// end after that.
    pub fn on_timeout(&mut self, now_ms: u64, entropy: &mut dyn Entropy) {
        if self.deadline_ms().is_none_or(|deadline_ms| now_ms < deadline_ms) {
            return;
        }
        self.last_frame_ms = now_ms;
        match self.state {
            State::Streaming => self.half_close(),
            State::GivingWay => self.state = State::Draining,
            State::Draining => {
                self.fail(
                    Fault::Timeout { timeout_ms: self.options.handler.abort_timeout_ms },
                    entropy,
                );
            }
            State::Ended => (),
        }
    }

    /// Asks the SDK to finish: it runs as far as it can and suspends.
    pub fn half_close(&mut self) {
        if self.state == State::Streaming {
            self.state = State::Draining;
            self.outputs.push(Output::HalfClose);
        }
    }

    /// Asks the attempt to yield its permit: if the handler is only waiting, it suspends now and
    /// resumes later. A handler that is busy is not disturbed.
    pub fn yield_permit(&mut self) {
        if self.state == State::Streaming {
            self.state = State::GivingWay;
            self.outputs.push(Output::HalfClose);
        }
    }

    /// When the last frame was received or sent, by the clock of `now_ms`; `None` once the SDK can
    /// no longer be asked to suspend.
    pub fn idle_since_ms(&self) -> Option<u64> {
        (self.state == State::Streaming).then_some(self.last_frame_ms)
    }

    /// When it is aborted if nothing arrives until then, by the clock of `now_ms`; `None` unless the SDK
    /// has been asked to suspend, or cannot be asked.
    pub fn aborted_at_ms(&self) -> Option<u64> {
        if self.state == State::Draining { self.deadline_ms() } else { None }
    }

    /// Takes the actions for the shell, in order. Must be called after each of the calls above.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// Whether the SDK has sent its final frame, so that its response ends on its own. Otherwise
    /// the rest of the response is of no use.
    pub fn is_last_said(&self) -> bool {
        self.is_last_said
    }

    /// Whether the attempt has ended: it sends and proposes nothing more.
    pub fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    fn acknowledged_run(&mut self, entry: &Entry) -> Option<CompletionId> {
        if self.acknowledge.is_empty() || entry.ty != MessageType::RUN_COMPLETION {
            return None;
        }
        let completion = protocol::wire::notification::completion_id(entry)?;
        self.acknowledge.remove(&completion).then_some(completion)
    }

    fn send(&mut self, frame: Frame) {
        let mut buffer = BytesMut::new();
        self.queue(frame, &mut buffer);
        self.flush(buffer);
    }

    /// Appends a frame to what `buffer` holds; one with a large body is sent, with all before it.
    fn queue(&mut self, frame: Frame, buffer: &mut BytesMut) {
        if frame.body.len() <= COPIED_BODY_BYTES_MAX {
            frame.encode(buffer);
        } else {
            frame.encode_header(buffer);
            self.outputs.push(Output::Send(buffer.split().freeze()));
            self.outputs.push(Output::Send(frame.body));
        }
    }

    /// Sends what is left in the buffer.
    fn flush(&mut self, buffer: BytesMut) {
        if !buffer.is_empty() {
            self.outputs.push(Output::Send(buffer.freeze()));
        }
    }

    fn propose(&mut self, event: Event) {
        // A failure stores no entry: the deployment may never have been reached, so the next
        // attempt is free to choose another.
        assert!(self.state != State::Ended, "{:?} has ended, but proposes {event:?}", self.name);
        let stores = !matches!(event, Event::AttemptFailedOn { .. });
        if stores && std::mem::take(&mut self.is_pin_owed) {
            let (attempt, pin) = (self.name, self.options.pin);
            self.outputs.push(Output::Propose(Event::DeploymentPinned { attempt, pin }));
        }
        self.outputs.push(Output::Propose(event));
    }

    fn finish(&mut self) {
        assert!(self.state != State::Ended, "{:?} ends twice", self.name);
        self.state = State::Ended;
        self.outputs.push(Output::Finish);
    }

    fn fail(&mut self, fault: Fault, entropy: &mut dyn Entropy) {
        let next = retry::decide(&self.options, &self.start, &fault, entropy);
        let is_placed = !matches!(fault, Fault::Deployment { .. });
        let deployment = is_placed.then_some(self.options.pin.deployment);
        let failure: AttemptFailure = fault.into_failure();
        let attempt = self.name;
        self.propose(Event::AttemptFailedOn { attempt, deployment, failure, next });
        self.finish();
    }
}

#[cfg(test)]
mod tests;
