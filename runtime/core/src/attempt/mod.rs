//! The Attempt machine: one conversation with an SDK about one invocation.
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
//! The shell moves bytes: it calls [`Attempt::open`] once, then [`Attempt::receive`] for whatever comes in,
//! however it is cut, [`Attempt::notify`] for each entry the partition shows it, [`Attempt::broken`] when the transport
//! fails and [`Attempt::on_timeout`] when [`Attempt::deadline_ms`] has passed, and carries out the
//! [`Output`]s in order. After [`Output::Finish`] the machine says nothing more.
//!
//! Times are the shell's: `now_ms` is a monotonic clock, `wall_ms` the time of day by which an SDK's
//! absolute times are understood.
//!
//! The machine keeps nothing that a crash may not take: everything lasting is in what it proposes.

mod asked;
mod callee;
mod cut;
mod fault;
mod options;
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

use asked::Asked;
pub use fault::Fault;
pub use options::{AttemptOptions, NodeOptions};
pub use place::{Placement, Unplaced, place};

/// One thing for the shell to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "an event is moved on at once, and most are events")]
pub enum Output {
    /// Write to the request body.
    Send(Bytes),
    /// Hand to the partition.
    Propose(Event),
    /// End the request body; keep reading the response.
    HalfClose,
    /// It is over: end the request body, drain the response for a moment, let go of the stream.
    Finish,
}

/// One conversation.
#[derive(Debug)]
pub struct Attempt {
    name: AttemptRef,
    options: AttemptOptions,
    state: State,
    /// Whether the SDK has said its last word.
    is_last_said: bool,
    decoder: FrameDecoder,
    /// What the attempt was started with; the journal and the state are taken out when it opens.
    start: StartAttempt,
    /// Entries before this index have been shown to the SDK.
    seen: EntryIndex,
    /// Commands in the journal, the attempt's own included: the index of the next one.
    commands: u32,
    /// Whether Output is in the journal.
    has_output: bool,
    /// Whether the first word that stores something has to say where the invocation runs from now on.
    is_pin_owed: bool,
    /// Completions that the journal has asked for, the attempt's own commands included.
    asked: Asked,
    /// Runs of this attempt whose proposal asked for a mere acknowledgement.
    acknowledge: BTreeSet<CompletionId>,
    /// When the last frame went in or out, by the shell's monotonic clock in milliseconds.
    last_frame_ms: u64,
    outputs: Vec<Output>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The request body is open.
    Streaming,
    /// The request body has ended before its time, since others need the place; the response goes on.
    GivingWay,
    /// The request body has ended, the response goes on.
    Draining,
    /// A terminal frame or a fault has ended it.
    Ended,
}

impl Attempt {
    /// An attempt that has not opened its stream yet.
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
            asked: Asked::default(),
            acknowledge: BTreeSet::new(),
            last_frame_ms: 0,
            outputs: Vec::new(),
        }
    }

    /// Its name.
    pub fn name(&self) -> AttemptRef {
        self.name
    }

    /// What it was started with; journal and state are taken out once it has opened.
    pub fn start(&self) -> &StartAttempt {
        &self.start
    }

    /// What is spoken.
    pub fn version(&self) -> ProtocolVersion {
        self.options.pin.protocol
    }

    /// The frames to begin with: Start and the journal. Call it once, before anything else.
    ///
    /// # Panics
    /// When it is called again.
    pub fn open(&mut self, now_ms: u64) {
        assert!(self.commands == 0, "{:?} is opened twice", self.name);
        self.last_frame_ms = now_ms;
        self.replay();
        if !self.options.bidirectional || self.options.handler.inactivity_timeout_ms == 0 {
            self.half_close();
        }
    }

    /// An entry of the journal that the SDK has not seen: shown if the request is still open.
    pub fn notify(&mut self, now_ms: u64, index: EntryIndex, entry: Entry) {
        // An attempt that was started again after a crash may have it in its replay already.
        if self.state != State::Streaming || index < self.seen {
            return;
        }
        self.last_frame_ms = now_ms;
        self.seen = index + 1;
        if let Some(completion) = self.acknowledged_run(&entry) {
            let frame = RunAck { completion }.encode();
            self.send(&frame);
        } else {
            self.send(&Frame { ty: entry.ty, flags: 0, body: entry.body });
        }
    }

    /// How many bytes the message has that has begun and is not whole; `None` when none has, or its length
    /// is not there yet.
    pub fn expected_bytes(&self) -> Option<usize> {
        self.decoder.expected_bytes().filter(|_| !self.has_ended())
    }

    /// The transport failed, or the response ended without a terminal frame.
    pub fn broken(&mut self, fault: Fault, entropy: &mut dyn Entropy) {
        if self.state != State::Ended {
            self.fail(fault, entropy);
        }
    }

    /// When [`Self::on_timeout`] is to be called, by the clock of `now_ms`.
    pub fn deadline_ms(&self) -> Option<u64> {
        let timeout_ms = match self.state {
            // Who gives way has as much time as if nobody had asked.
            State::Streaming | State::GivingWay => self.options.handler.inactivity_timeout_ms,
            State::Draining => self.options.handler.abort_timeout_ms,
            State::Ended => return None,
        };
        Some(self.last_frame_ms.saturating_add(timeout_ms))
    }

    /// Time has passed: an idle stream is half-closed, one that does not end then is given up.
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

    /// Asks the SDK to come to an end: it runs as far as it can and suspends.
    pub fn half_close(&mut self) {
        if self.state == State::Streaming {
            self.state = State::Draining;
            self.outputs.push(Output::HalfClose);
        }
    }

    /// Others need its place: if all it does is wait, it suspends now and goes on later. One that is at
    /// work is not disturbed.
    pub fn give_way(&mut self) {
        if self.state == State::Streaming {
            self.state = State::GivingWay;
            self.outputs.push(Output::HalfClose);
        }
    }

    /// Since when nothing was said, while the SDK can still be told to suspend; by the clock of `now_ms`.
    pub fn idle_since_ms(&self) -> Option<u64> {
        (self.state == State::Streaming).then_some(self.last_frame_ms)
    }

    /// What the shell has to do, in order. Call it after each of the calls above.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// Whether the SDK has said its last word, so that its response ends by itself. Otherwise nobody wants to
    /// hear more of it.
    pub fn is_last_said(&self) -> bool {
        self.is_last_said
    }

    /// Whether it is over.
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

    fn send(&mut self, frame: &Frame) {
        let mut bytes = BytesMut::with_capacity(8 + frame.body.len());
        frame.encode(&mut bytes);
        self.outputs.push(Output::Send(bytes.freeze()));
    }

    fn propose(&mut self, event: Event) {
        // A failure stores no entry: the deployment may never have been reached, and the next
        // attempt is free to choose another.
        assert!(self.state != State::Ended, "{:?} has ended, and proposes {event:?}", self.name);
        let stores = !matches!(event, Event::AttemptFailed { .. });
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
        let failure: AttemptFailure = fault.into_failure();
        self.propose(Event::AttemptFailed { attempt: self.name, failure, next });
        self.finish();
    }
}

#[cfg(test)]
mod tests;
