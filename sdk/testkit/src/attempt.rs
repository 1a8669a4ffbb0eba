//! One attempt: the runtime's state machine and the SDK's, connected in memory.

use std::pin::Pin as Pinned;
use std::sync::Arc;
use std::task::{Context, Poll};

use abide_sdk::AttemptBody;
use hyper::body::Body;
use protocol::{
    journal::{Entry, EntryIndex},
    surface::code,
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

pub(crate) struct TestAttempt {
    pub(crate) partition: PartitionId,
    pub(crate) name: AttemptRef,
    pub(crate) invocation: String,
    attempt: Attempt,
    registry: Arc<RegistrySnapshot>,
    /// `None` when the connection is broken.
    body: Option<AttemptBody<Pipe>>,
    to_sdk: Pipe,
    /// Number of commands in its journal, including those of earlier attempts.
    pub(crate) commands: u32,
}

/// The outcome of one step of an attempt.
#[derive(Default)]
pub(crate) struct Stepped {
    pub(crate) has_moved: bool,
    /// Whether the SDK has added to the journal.
    pub(crate) has_grown: bool,
    /// A mistake in the handler's code, which no retry can fix.
    pub(crate) mistake: Option<String>,
    /// Why the attempt failed.
    pub(crate) failure: Option<String>,
    /// Events that the runtime's state machine wants to propose, in order.
    pub(crate) proposals: Vec<Event>,
}

impl TestAttempt {
    pub(crate) fn new(
        partition: PartitionId,
        start: StartAttempt,
        options: AttemptOptions,
        registry: Arc<RegistrySnapshot>,
        open: impl FnOnce(&StartAttempt, Pipe) -> Option<AttemptBody<Pipe>>,
        now_ms: u64,
    ) -> Self {
        let to_sdk = Pipe::default();
        let body = open(&start, to_sdk.clone());
        let (name, invocation) = (start.attempt, start.id.to_string());
        let is_command = |entry: &&Entry| entry.ty.is_command();
        let commands = start.journal.iter().filter(is_command).count();
        let mut attempt = Attempt::new(start, options);
        attempt.open(now_ms);
        Self {
            partition,
            name,
            invocation,
            attempt,
            registry,
            body,
            to_sdk,
            commands: u32::try_from(commands).unwrap_or(u32::MAX),
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.attempt.has_ended()
    }

    /// Whether the closure of a run is being executed, which takes real time.
    pub(crate) fn is_executing(&self) -> bool {
        self.body.as_ref().is_some_and(AttemptBody::is_executing)
    }

    pub(crate) fn notify(&mut self, now_ms: u64, index: EntryIndex, entry: Entry) {
        self.attempt.notify(now_ms, index, entry);
    }

    /// Asks it to suspend.
    pub(crate) fn suspend(&mut self) {
        self.attempt.half_close();
    }

    /// Breaks the connection.
    pub(crate) fn cut(&mut self, random: &mut Random) {
        self.body = None;
        self.attempt.broken(Fault::EndedEarly, random);
    }

    pub(crate) fn deadline_ms(&self) -> Option<u64> {
        self.attempt.deadline_ms().filter(|_| !self.has_ended())
    }

    pub(crate) fn on_timeout(&mut self, now_ms: u64, random: &mut Random) {
        self.attempt.on_timeout(now_ms, random);
    }

    /// Carries out the outputs of the runtime's state machine.
    pub(crate) fn carry_out(&mut self, stepped: &mut Stepped) {
        for output in self.attempt.take_outputs() {
            stepped.has_moved = true;
            match output {
                Output::Send(bytes) => self.to_sdk.write(bytes),
                Output::HalfClose | Output::Finish => self.to_sdk.close(),
                Output::Propose(event) => stepped.proposals.push(event),
            }
        }
    }

    /// Records what a proposal caused by the SDK means for the step.
    fn note(&mut self, proposal: &Event, stepped: &mut Stepped) {
        let is_command =
            matches!(proposal, Event::CommandProposed { .. } | Event::TimedCommandProposed { .. });
        self.commands += u32::from(is_command);
        stepped.has_grown |= is_command || matches!(proposal, Event::RunProposed { .. });
        if let Event::AttemptFailedOn { failure, .. } = proposal {
            let message = Some(failure.message.clone());
            match failure.code {
                code::JOURNAL_MISMATCH => stepped.mistake = message,
                _ => stepped.failure = message,
            }
        }
    }

    /// Lets the SDK read its input, make progress, and write output.
    pub(crate) fn step(
        &mut self,
        now_ms: u64,
        random: &mut Random,
        cx: &mut Context<'_>,
    ) -> Stepped {
        let mut stepped = Stepped::default();
        self.carry_out(&mut stepped);
        stepped.has_moved |= self.to_sdk.is_fresh();
        let Some(body) = &mut self.body else {
            if !self.attempt.has_ended() {
                self.attempt.broken(Fault::EndedEarly, random);
                stepped.has_moved = true;
            }
            return stepped;
        };
        match Pinned::new(body).poll_frame(cx) {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(frame))) => {
                stepped.has_moved = true;
                if let Ok(data) = frame.into_data() {
                    self.attempt.receive(now_ms, now_ms, data, &self.registry, random);
                    let mut said = Stepped::default();
                    self.carry_out(&mut said);
                    said.proposals.iter().for_each(|proposal| self.note(proposal, &mut stepped));
                    stepped.proposals.extend(said.proposals);
                }
            }
            Poll::Ready(Some(Err(_)) | None) => self.body = None,
        }
        if self.body.is_none() && !self.attempt.has_ended() {
            self.attempt.broken(Fault::EndedEarly, random);
            stepped.has_moved = true;
        }
        if let Some(stray) = self.body.as_ref().and_then(AttemptBody::stray_wait) {
            stepped.mistake = Some(stray);
        }
        stepped
    }
}
