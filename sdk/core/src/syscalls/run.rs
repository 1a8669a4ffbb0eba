//! Run: a side effect whose result is journaled, so that a replay does not repeat it.

use bytes::Bytes;
use protocol::{
    Backoff, TerminalFailure,
    journal::{Command, NamedCommand, NotificationId},
    wire::{
        MessageType,
        control::{AttemptError, ErrorBehavior, RelatedCommand, RunProposal},
    },
};

use crate::{Handle, Vm, VmError, running::Running};

/// A run whose closure may still have to be executed.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) state: RunState,
    /// Index of its command.
    command_index: u32,
}

/// The state of a run within this attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunState {
    /// Its closure will be executed once the handler waits for it.
    Waiting,
    /// Its closure is being executed.
    Executing,
}

/// How a failing closure is retried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRetry {
    /// Delay between executions.
    pub backoff: Backoff,
    /// Maximum number of executions, including the first; `None` means no limit.
    pub max_attempts: Option<u32>,
    /// How long after the last stored entry the final execution may start, in milliseconds; `None`
    /// means no limit.
    pub max_duration_ms: Option<u64>,
}

impl Vm {
    /// Starts a side effect; [`Turn::Execute`](crate::Turn::Execute) says when to execute its
    /// closure.
    ///
    /// # Errors
    /// Returns an error if the journal has a different command here.
    pub fn sys_run(&mut self, name: &str) -> Result<Handle, VmError> {
        self.with_running(|running| {
            let (handle, completion) = running.new_completion();
            let command_index = running.command_index;
            running.runs.insert(handle, Run { state: RunState::Waiting, command_index });
            let command = Command::Run { completion };
            running.issue(NamedCommand { name: name.to_owned(), command })?;
            Ok(handle)
        })
    }

    /// Proposes the final result of a run's closure; it becomes visible once the runtime has stored
    /// it.
    ///
    /// # Errors
    /// Returns an error if the attempt has ended.
    pub fn propose_run(
        &mut self,
        handle: Handle,
        result: Result<Bytes, TerminalFailure>,
    ) -> Result<(), VmError> {
        self.with_running(|running| {
            running.propose_run(handle, result);
            Ok(())
        })
    }

    /// Reports a retryable failure of a run's closure. The attempt ends, or, if the retries are
    /// exhausted, the failure becomes the run's result.
    ///
    /// # Errors
    /// Returns an error if the attempt has already ended.
    pub fn fail_run(
        &mut self,
        handle: Handle,
        name: &str,
        message: &str,
        retry: Option<&RunRetry>,
    ) -> Result<(), VmError> {
        let error = self.with_running(|running| {
            let error = running.try_again(handle, name, message, retry);
            if error.is_none() {
                running.propose_run(handle, Err(TerminalFailure::new(500, message)));
            }
            Ok(error)
        })?;
        error.map_or(Ok(()), |error| self.say_last(&error.encode()))
    }
}

impl Running {
    fn propose_run(&mut self, handle: Handle, result: Result<Bytes, TerminalFailure>) {
        self.runs.remove(&handle);
        if let NotificationId::Completion(completion) = self.id(handle) {
            self.results.propose(completion, result.clone().into());
            let ack_requested = self.version.has_run_ack();
            self.write(&RunProposal { completion, result, ack_requested }.encode(self.version));
            self.progress.grow();
        }
    }

    /// The error that makes the runtime retry; `None` if the retries are exhausted.
    fn try_again(
        &self,
        handle: Handle,
        name: &str,
        message: &str,
        retry: Option<&RunRetry>,
    ) -> Option<AttemptError> {
        // The runtime counts failures since the journal last grew: if this attempt made it grow,
        // they belong to other commands.
        let (failed_before, elapsed_ms) = if self.progress.has_grown() {
            (0, 0)
        } else {
            (self.start.retry_count, self.start.duration_since_last_entry_ms)
        };
        let executions = failed_before.saturating_add(1);
        let is_last = retry.is_some_and(|retry| {
            retry.max_attempts.is_some_and(|max_attempts| executions >= max_attempts)
                || retry
                    .max_duration_ms
                    .is_some_and(|max_ms| failed_before > 0 && elapsed_ms >= max_ms)
        });
        if is_last {
            return None;
        }
        Some(AttemptError {
            code: 500,
            message: message.to_owned(),
            stacktrace: String::new(),
            related_command: Some(RelatedCommand {
                index: self.runs.get(&handle).map(|run| run.command_index),
                name: Some(name.to_owned()),
                ty: Some(u32::from(MessageType::RUN_COMMAND.0)),
            }),
            next_retry_delay_ms: retry.map(|retry| retry.backoff.delay_ms(executions)),
            behavior: ErrorBehavior::Retry,
        })
    }
}
