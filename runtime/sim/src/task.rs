//! One attempt: the real Attempt machine, a wire that delays, splits and breaks, the real SDK.

use std::collections::VecDeque;
use std::pin::Pin as Pinned;
use std::task::{Context, Poll, Waker};

use abide_sdk::{AttemptBody, Endpoint};
use bytes::Bytes;
use hyper::body::Body;
use protocol::{
    DeploymentId, HandlerKind, ProtocolVersion, ServiceKind,
    ids::Derivation,
    journal::{Entry, EntryIndex},
    wire::{MessageType, control::AttemptError, frame::FrameDecoder},
};
use runtime_core::{
    PartitionId,
    attempt::{
        Attempt, AttemptOptions, Fault, HandlerFacts, Output, Registry, ResolveError, RetryPolicy,
    },
    effect::StartAttempt,
    event::{AttemptRef, Event, Pin},
};

use crate::{
    pipe::Pipe,
    program::{OBJECT, SERVICE},
    random::Random,
};

/// The two services there are.
pub struct SimRegistry;

/// Longer than any simulation lasts.
const RETENTION_MS: u64 = 100 * 24 * 3_600_000;

impl Registry for SimRegistry {
    fn resolve(&self, service: &str, handler: &str) -> Result<HandlerFacts, ResolveError> {
        let (service_kind, handler_kind) = match service {
            SERVICE => (ServiceKind::Service, HandlerKind::Service),
            OBJECT => (ServiceKind::VirtualObject, HandlerKind::Exclusive),
            _ => {
                let (service, handler) = (service.to_owned(), handler.to_owned());
                return Err(ResolveError::UnknownHandler { service, handler });
            }
        };
        Ok(HandlerFacts {
            service_kind,
            handler_kind,
            // What nobody asks for again goes at once, which is the more fragile path.
            journal_retention_ms: 0,
            idempotency_retention_ms: RETENTION_MS,
            workflow_retention_ms: RETENTION_MS,
        })
    }
}

/// Codes of attempts whose handler is not what its journal says, or whose SDK broke the protocol.
const SDK_FAULTS: std::ops::RangeInclusive<u32> = 570..=573;

/// An attempt under way.
pub struct Task {
    /// Where it proposes.
    pub partition: PartitionId,
    /// Its name.
    pub name: AttemptRef,
    attempt: Attempt,
    /// `None` for a handler that there is not.
    body: Option<AttemptBody<Pipe>>,
    request: Pipe,
    to_sdk: VecDeque<Bytes>,
    /// The request has ended, behind what is still on the wire.
    is_request_closed: bool,
    is_input_closed: bool,
    to_runtime: VecDeque<Bytes>,
    decoder: FrameDecoder,
}

impl Task {
    /// Begins an attempt.
    pub fn new(
        partition: PartitionId,
        start: StartAttempt,
        endpoint: &Endpoint,
        version: ProtocolVersion,
        bidirectional: bool,
        now_ms: u64,
    ) -> Self {
        let pin = start.pin.unwrap_or(Pin { deployment: DeploymentId(1), protocol: version });
        let name = start.attempt;
        let options = AttemptOptions {
            pin,
            bidirectional,
            inactivity_timeout_ms: 1000,
            abort_timeout_ms: 5000,
            lazy_state: start.random_seed.is_multiple_of(3),
            derivation: Derivation::Plain,
            retry: RetryPolicy {
                initial_interval_ms: 10,
                factor_thousandths: 2000,
                max_interval_ms: 200,
                max_attempts: None,
                ..RetryPolicy::default()
            },
        };
        let request = Pipe::default();
        let opening = endpoint.open(&start.target.service, &start.target.handler);
        let body = opening.map(|opening| opening.attempt(pin.protocol, request.clone()));
        let mut attempt = Attempt::new(start, options);
        attempt.open(now_ms);
        Self {
            partition,
            name,
            attempt,
            body,
            request,
            to_sdk: VecDeque::new(),
            is_request_closed: false,
            is_input_closed: false,
            to_runtime: VecDeque::new(),
            decoder: FrameDecoder::new(1 << 20),
        }
    }

    /// Whether it has said its last word to the partition.
    pub fn has_ended(&self) -> bool {
        self.attempt.has_ended()
    }

    /// Shows it an entry.
    pub fn notify(&mut self, now_ms: u64, index: EntryIndex, entry: Entry) {
        self.attempt.notify(now_ms, index, entry);
    }

    /// The connection breaks, as the runtime sees it.
    pub fn cut(&mut self, random: &mut Random) {
        self.attempt.broken(Fault::EndedEarly, random);
    }

    /// Time has passed.
    pub fn on_timeout(&mut self, now_ms: u64, random: &mut Random) {
        self.attempt.on_timeout(now_ms, random);
    }

    /// Carries out what the machine wants; what it proposes goes into `proposals`.
    pub fn carry_out(&mut self, proposals: &mut Vec<Event>) {
        for output in self.attempt.take_outputs() {
            match output {
                Output::Send(bytes) => self.to_sdk.push_back(bytes),
                Output::HalfClose | Output::Finish => self.is_request_closed = true,
                Output::Propose(event) => proposals.push(event),
            }
        }
    }

    /// Moves some bytes one way or the other; false when there are none.
    ///
    /// # Errors
    /// When the SDK finds a fault in the journal: handlers are deterministic here.
    pub fn step(&mut self, now_ms: u64, random: &mut Random) -> Result<bool, String> {
        let has_request =
            !self.to_sdk.is_empty() || (self.is_request_closed && !self.is_input_closed);
        if has_request && (self.to_runtime.is_empty() || random.chance(500)) {
            self.move_to_sdk(random);
            return Ok(true);
        }
        let Some(mut bytes) = self.to_runtime.pop_front() else { return Ok(false) };
        split(&mut bytes, &mut self.to_runtime, random);
        self.decoder.push(bytes);
        while !self.attempt.has_ended() {
            match self.decoder.next() {
                Ok(Some(frame)) => {
                    if frame.ty == MessageType::ERROR
                        && let Ok(error) = AttemptError::decode(&frame)
                        && SDK_FAULTS.contains(&error.code)
                    {
                        return Err(error.message);
                    }
                    self.attempt.receive(now_ms, now_ms, frame, &SimRegistry, random);
                }
                Ok(None) => break,
                Err(error) => self.attempt.broken(Fault::Wire(error), random),
            }
        }
        Ok(true)
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

/// Networks split where they like.
fn split(bytes: &mut Bytes, queue: &mut VecDeque<Bytes>, random: &mut Random) {
    if bytes.len() > 1 && random.chance(200) {
        let at = 1 + random.index(bytes.len() - 1);
        queue.push_front(bytes.split_off(at));
    }
}
