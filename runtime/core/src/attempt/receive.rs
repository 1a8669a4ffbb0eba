//! Receiving from the SDK: bytes become frames, and each frame becomes an event to propose or ends
//! the attempt.

use bytes::Bytes;
use protocol::{
    AwakeableId, InvocationId, ServiceKind,
    journal::{Command, Entry, InvocationTarget, notification::FIRST_AWAKEABLE_SIGNAL},
    wire::{
        MessageType,
        control::{AttemptError, AwaitingOn, RunProposal, Suspension},
        frame::Frame,
    },
};

use super::{Attempt, Fault, State};
use crate::{
    admission::Entropy,
    event::{Event, ProposedCommand},
    model::invocation::Callee,
    registry::RegistrySnapshot,
    time::DELAY_MAX_MS,
};

impl Attempt {
    /// Handles the next chunk of the response. Anything after a terminal frame is ignored.
    /// `wall_ms` is the wall-clock time at which the chunk arrived, in milliseconds since the Unix
    /// epoch.
    pub fn receive(
        &mut self,
        now_ms: u64,
        wall_ms: u64,
        bytes: Bytes,
        registry: &RegistrySnapshot,
        entropy: &mut dyn Entropy,
    ) {
        self.decoder.push(bytes);
        while self.state != State::Ended {
            let accepted = match self.decoder.next() {
                Ok(None) => return,
                Ok(Some(frame)) => {
                    self.last_frame_ms = now_ms;
                    self.accept(wall_ms, frame, registry, entropy)
                }
                Err(error) => Err(Fault::Wire(error)),
            };
            if let Err(fault) = accepted {
                self.fail(fault, entropy);
            }
        }
    }

    fn accept(
        &mut self,
        wall_ms: u64,
        frame: Frame,
        registry: &RegistrySnapshot,
        entropy: &mut dyn Entropy,
    ) -> Result<(), Fault> {
        protocol::wire::fields::check(&frame)?;
        self.is_last_said =
            matches!(frame.ty, MessageType::SUSPENSION | MessageType::ERROR | MessageType::END);
        match frame.ty {
            MessageType::PROPOSE_RUN_COMPLETION => self.run_proposed(&frame),
            // Informational: not displayed anywhere yet, but it must be well-formed.
            MessageType::AWAITING_ON => Ok(AwaitingOn::decode(&frame).map(|_| ())?),
            MessageType::SUSPENSION => self.suspended(&frame),
            MessageType::ERROR => Err(Fault::Sdk(AttemptError::decode(&frame)?)),
            MessageType::END => self.ended(),
            ty if ty.is_command() => self.command(wall_ms, frame, registry, entropy),
            ty => Err(Fault::Protocol {
                message: format!("{ty:?} is not a message that an SDK may send"),
            }),
        }
    }

    fn command(
        &mut self,
        wall_ms: u64,
        frame: Frame,
        registry: &RegistrySnapshot,
        entropy: &mut dyn Entropy,
    ) -> Result<(), Fault> {
        let entry = Entry { ty: frame.ty, body: frame.body };
        let command = ProposedCommand::decode(entry)?;
        if self.has_output {
            let message = format!("{:?} after the output", frame.ty);
            return Err(Fault::Protocol { message });
        }
        let callee = self.check(command.command(), registry, entropy)?.map(Box::new);
        let delay_ms = delay_ms(command.command(), wall_ms)?;
        self.asked.command(command.entry())?;
        self.has_output = matches!(command.command(), Command::Output { .. });
        self.commands += 1;
        let attempt = self.name;
        self.propose(match delay_ms {
            None => Event::CommandProposed { attempt, command, callee },
            Some(delay_ms) => Event::TimedCommandProposed { attempt, command, callee, delay_ms },
        });
        Ok(())
    }

    /// Rejects commands that are not valid for this handler, so that they never enter the journal,
    /// and resolves the target of a call.
    fn check(
        &self,
        command: &Command,
        registry: &RegistrySnapshot,
        entropy: &mut dyn Entropy,
    ) -> Result<Option<Callee>, Fault> {
        let invalid = |message: String| Err(Fault::InvalidCommand { message });
        let kind = self.start.handler_kind;
        match command {
            Command::Input { .. } => {
                return Err(Fault::Protocol {
                    message: "an SDK must not send an Input command".to_owned(),
                });
            }
            Command::GetLazyState { .. }
            | Command::GetLazyStateKeys { .. }
            | Command::GetEagerState { .. }
            | Command::GetEagerStateKeys { .. }
                if !kind.reads_state() =>
            {
                return invalid("a plain service has no state".to_owned());
            }
            Command::SetState { .. } | Command::ClearState { .. } | Command::ClearAllState
                if !kind.writes_state() =>
            {
                return invalid(format!("a {kind:?} handler may not change state"));
            }
            Command::GetPromise { .. }
            | Command::PeekPromise { .. }
            | Command::CompletePromise { .. }
                if self.start.service_kind != ServiceKind::Workflow =>
            {
                return invalid("only a workflow has promises".to_owned());
            }
            Command::Call { request, .. } | Command::OneWayCall { request, .. } => {
                return self.callee(request, registry, entropy).map(Some);
            }
            Command::SendSignal { target, .. }
            | Command::AttachInvocation { target: InvocationTarget::Id(target), .. }
            | Command::GetInvocationOutput { target: InvocationTarget::Id(target), .. } => {
                if let Err(error) = target.parse::<InvocationId>() {
                    return invalid(format!("'{target}' is not an invocation id: {error}"));
                }
            }
            Command::CompleteAwakeable { id, .. } => {
                let AwakeableId { signal, .. } = match id.parse() {
                    Ok(id) => id,
                    Err(error) => {
                        return invalid(format!("'{id}' is not an awakeable id: {error}"));
                    }
                };
                if signal < FIRST_AWAKEABLE_SIGNAL {
                    return invalid(format!(
                        "'{id}' names signal {signal}, which is not an awakeable"
                    ));
                }
            }
            Command::Output { .. }
            | Command::GetLazyState { .. }
            | Command::GetLazyStateKeys { .. }
            | Command::GetEagerState { .. }
            | Command::GetEagerStateKeys { .. }
            | Command::SetState { .. }
            | Command::ClearState { .. }
            | Command::ClearAllState
            | Command::GetPromise { .. }
            | Command::PeekPromise { .. }
            | Command::CompletePromise { .. }
            | Command::Sleep { .. }
            | Command::Run { .. }
            | Command::AttachInvocation { .. }
            | Command::GetInvocationOutput { .. } => (),
        }
        Ok(None)
    }

    fn run_proposed(&mut self, frame: &Frame) -> Result<(), Fault> {
        let RunProposal { completion, result, ack_requested } = RunProposal::decode(frame)?;
        self.asked.run_proposed(completion)?;
        if ack_requested && self.version().has_run_ack() {
            self.acknowledge.insert(completion);
        }
        self.propose(Event::RunProposed { attempt: self.name, completion, result });
        Ok(())
    }

    fn suspended(&mut self, frame: &Frame) -> Result<(), Fault> {
        let Suspension { awaiting } = Suspension::decode(frame, self.version())?;
        if awaiting.is_empty() {
            let message = "a suspension that waits for nothing".to_owned();
            return Err(Fault::Protocol { message });
        }
        self.asked.awaited(&awaiting)?;
        let (attempt, seen) = (self.name, self.seen);
        self.propose(Event::AttemptSuspended { attempt, awaiting, seen });
        self.finish();
        Ok(())
    }

    fn ended(&mut self) -> Result<(), Fault> {
        if !self.has_output {
            let message = "an End without a preceding Output".to_owned();
            return Err(Fault::Protocol { message });
        }
        self.propose(Event::AttemptEnded { attempt: self.name });
        self.finish();
        Ok(())
    }
}

/// How far ahead a command's absolute time lies. That time comes from the SDK's clock, which
/// matches neither ours nor the log's stamps: only the distance from now means the same to both
/// sides.
fn delay_ms(command: &Command, wall_ms: u64) -> Result<Option<u64>, Fault> {
    let (what, at_ms) = match command {
        Command::Sleep { wake_up_time_ms, .. } => ("sleep", *wake_up_time_ms),
        // Most sends are immediate and carry a 0.
        Command::OneWayCall { invoke_time_ms: at_ms @ 1.., .. } => ("delayed call", *at_ms),
        Command::OneWayCall { .. }
        | Command::Input { .. }
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
        | Command::Call { .. }
        | Command::SendSignal { .. }
        | Command::Run { .. }
        | Command::AttachInvocation { .. }
        | Command::GetInvocationOutput { .. }
        | Command::CompleteAwakeable { .. } => return Ok(None),
    };
    let delay_ms = at_ms.saturating_sub(wall_ms);
    if delay_ms > DELAY_MAX_MS {
        let message = format!(
            "a {what} of {delay_ms} ms is too long: the limit is {DELAY_MAX_MS} ms, a hundred years"
        );
        return Err(Fault::InvalidCommand { message });
    }
    Ok(Some(delay_ms))
}
