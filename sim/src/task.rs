//! One attempt: the real `Attempt` machine, a wire that delays, splits and breaks, and the real
//! SDK.

use std::collections::VecDeque;
use std::pin::Pin as Pinned;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use abide_sdk::{AttemptBody, Endpoint};
use bytes::{Bytes, BytesMut};
use hyper::body::Body;
use protocol::{
    journal::{Entry, EntryIndex},
    surface::code,
    wire::frame::Frame,
};
use runtime_core::{
    PartitionId,
    attempt::{Attempt, AttemptOptions, Fault, Output},
    effect::StartAttempt,
    event::Event,
    model::ids::AttemptRef,
    registry::RegistrySnapshot,
};

use runtime_embedded::{Pipe, Random};

/// Error codes that mean that the handler diverged from its journal, or that the SDK violated the
/// protocol.
const SDK_FAULTS: std::ops::RangeInclusive<u32> =
    code::JOURNAL_MISMATCH..=code::UNSUPPORTED_FEATURE;

/// The clocks that an attempt's edge reads, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Time {
    /// Monotonic time, which is never set.
    pub now_ms: u64,
    /// Wall-clock time.
    pub wall_ms: u64,
}

/// A running attempt.
pub struct Task {
    /// The partition it proposes to.
    pub partition: PartitionId,
    /// The attempt's identity.
    pub name: AttemptRef,
    /// Whether the partition was notified that it failed.
    pub is_zombie: bool,
    registry: Arc<RegistrySnapshot>,
    attempt: Attempt,
    /// `None` if the handler does not exist, or once the SDK has ended its response.
    body: Option<AttemptBody<Pipe>>,
    request: Pipe,
    to_sdk: VecDeque<Bytes>,
    /// The request ends after what is still on the wire.
    is_request_closed: bool,
    is_input_closed: bool,
    to_runtime: VecDeque<Bytes>,
    /// A frame to send right after the replay, which should not follow it (sabotage).
    again: Option<Bytes>,
}

impl Task {
    /// Starts an attempt.
    pub fn new(
        partition: PartitionId,
        start: StartAttempt,
        options: AttemptOptions,
        endpoint: &Endpoint,
        registry: Arc<RegistrySnapshot>,
        now_ms: u64,
    ) -> Self {
        let name = start.attempt;
        let request = Pipe::default();
        let opening = endpoint.open(&start.target.service, &start.target.handler);
        let body = opening.map(|opening| opening.attempt(options.pin.protocol, request.clone()));
        let mut attempt = Attempt::new(start, options);
        attempt.open(now_ms);
        Self {
            partition,
            name,
            is_zombie: false,
            registry,
            attempt,
            body,
            request,
            to_sdk: VecDeque::new(),
            is_request_closed: false,
            is_input_closed: false,
            to_runtime: VecDeque::new(),
            again: None,
        }
    }

    /// Whether it has proposed its final event.
    pub fn has_ended(&self) -> bool {
        self.attempt.has_ended()
    }

    /// Notifies the attempt of a journal entry.
    pub fn notify(&mut self, now_ms: u64, index: EntryIndex, entry: Entry) {
        self.attempt.notify(now_ms, index, entry);
    }

    /// Asks it to suspend.
    pub(crate) fn suspend(&mut self) {
        self.attempt.half_close();
    }

    /// Sends the SDK a frame it has already seen, bypassing the machine (sabotage).
    pub(crate) fn show_again(&mut self, frame: &Frame) {
        if !self.is_request_closed {
            let mut bytes = BytesMut::new();
            frame.encode(&mut bytes);
            self.to_sdk.push_back(bytes.freeze());
        }
    }

    /// Like [`Self::show_again`], but right after the replay.
    pub(crate) fn show_last(&mut self, frame: &Frame) {
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes);
        self.again = Some(bytes.freeze());
    }

    /// Breaks the connection, as seen by the runtime.
    pub fn cut(&mut self, random: &mut Random) {
        self.attempt.broken(Fault::EndedEarly, random);
    }

    /// Fails the connection attempt: nothing reaches the endpoint.
    pub fn miss(&mut self, random: &mut Random) {
        self.attempt
            .broken(Fault::Unreachable { message: "no endpoint is reachable".to_owned() }, random);
    }

    /// Lets the machine handle its timeouts.
    pub fn on_timeout(&mut self, now_ms: u64, random: &mut Random) {
        self.attempt.on_timeout(now_ms, random);
    }

    /// Carries out the machine's outputs, appending the events it proposes to `proposals`.
    ///
    /// # Errors
    /// Returns an error if the SDK found a fault in the journal, since all handlers here are
    /// deterministic.
    pub fn carry_out(&mut self, proposals: &mut Vec<Event>) -> Result<(), String> {
        for output in self.attempt.take_outputs() {
            match output {
                Output::Send(bytes) => self.to_sdk.push_back(bytes),
                Output::HalfClose | Output::Finish => self.is_request_closed = true,
                Output::Propose(event) => {
                    if let Event::AttemptFailedOn { failure, .. } = &event
                        && failure.error_code.is_none()
                        && SDK_FAULTS.contains(&failure.code)
                    {
                        return Err(failure.message.clone());
                    }
                    proposals.push(event);
                }
            }
        }
        self.to_sdk.extend(self.again.take());
        Ok(())
    }

    /// Moves some bytes in one direction; returns false if there are none.
    pub fn step(&mut self, time: Time, random: &mut Random) -> bool {
        let has_request =
            !self.to_sdk.is_empty() || (self.is_request_closed && !self.is_input_closed);
        if has_request && (self.to_runtime.is_empty() || random.chance(500)) {
            self.move_to_sdk(random);
            return true;
        }
        self.hear(time, random)
    }

    /// Whether bytes from the SDK are waiting for the runtime.
    pub(crate) fn has_words(&self) -> bool {
        !self.to_runtime.is_empty()
    }

    /// Moves some bytes from the SDK to the runtime; returns false if there are none.
    pub fn hear(&mut self, time: Time, random: &mut Random) -> bool {
        let Some(mut bytes) = self.to_runtime.pop_front() else { return false };
        split(&mut bytes, &mut self.to_runtime, random);
        self.attempt.receive(time.now_ms, time.wall_ms, bytes, &self.registry, random);
        true
    }

    fn move_to_sdk(&mut self, random: &mut Random) {
        match self.to_sdk.pop_front() {
            Some(mut bytes) => {
                split(&mut bytes, &mut self.to_sdk, random);
                self.request.write(bytes);
            }
            None => {
                self.is_input_closed = true;
                self.request.close();
            }
        }
        let mut cx = Context::from_waker(Waker::noop());
        while let Some(body) = &mut self.body {
            match Pinned::new(body).poll_frame(&mut cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.to_runtime.extend(frame.into_data().ok());
                }
                Poll::Ready(Some(Err(_)) | None) => self.body = None,
                Poll::Pending => return,
            }
        }
    }
}

/// Splits a chunk at random, as a network may.
fn split(bytes: &mut Bytes, queue: &mut VecDeque<Bytes>, random: &mut Random) {
    if bytes.len() > 1 && random.chance(200) {
        let at = 1 + random.index(bytes.len() - 1);
        queue.push_front(bytes.split_off(at));
    }
}
