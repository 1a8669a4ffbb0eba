//! Drives a handler: polls it, and asks the Vm what comes next.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use sdk_core::{Turn, VmError};
use tokio::task::coop::{Unconstrained, unconstrained};

use crate::{
    attempt::{Attempt, Fault, Polling},
    context::saga,
    error::{HandlerError, chain},
    wake_up::WakeUp,
};

/// A running handler, which resolves to its encoded result.
pub(crate) type Handling = Pin<Box<dyn Future<Output = Result<Bytes, HandlerError>> + Send>>;

/// A running handler and its attempt.
pub(crate) struct Execution {
    span: tracing::Span,
    attempt: Arc<Attempt>,
    /// Exempt from tokio's cooperative budget, which makes ready futures return pending at points
    /// that a replay would not reproduce.
    handling: Unconstrained<Handling>,
    wake_up: Arc<WakeUp>,
    waker: Waker,
    rest: Rest,
}

/// Why the handler is pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// The handler has not been driven yet.
    None,
    /// Closures of runs are being executed.
    Executing,
    /// Input from the runtime is needed.
    NeedsInput,
}

impl Execution {
    pub(crate) fn new(attempt: Arc<Attempt>, handling: Handling) -> Self {
        let wake_up = Arc::new(WakeUp::default());
        wake_up.want();
        let waker = Waker::from(Arc::clone(&wake_up));
        let facts = &attempt.facts;
        let span = tracing::info_span!(
            "handler",
            service = facts.service,
            key = facts.key,
            handler = facts.handler,
            invocation_id = facts.invocation_id,
        );
        let handling = unconstrained(handling);
        Self { span, attempt, handling, wake_up, waker, rest: Rest::None }
    }

    pub(crate) fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    /// Whether closures of runs are being executed, which takes real time.
    pub(crate) fn is_executing(&self) -> bool {
        self.rest == Rest::Executing
    }

    /// An error message if the handler waits for something that is not in the journal.
    pub(crate) fn stray_wait(&self) -> Option<String> {
        let state = self.attempt.lock();
        if self.rest != Rest::NeedsInput || state.vm.is_waiting() || state.has_ended() {
            return None;
        }
        let after = state.vm.site().map(|site| format!(", after {site}")).unwrap_or_default();
        Some(format!(
            "the handler awaits something that is not in the journal{after}: IO, a timer, a task or a \
             channel; do IO in ctx.run, wait with ctx.sleep, and await everything in the handler"
        ))
    }

    /// Drives the handler as far as possible; ready once the attempt has produced its final
    /// message.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.wake_up.begin(cx.waker());
            if self.turns() {
                return Poll::Ready(());
            }
            if !self.wake_up.rest() {
                return Poll::Pending;
            }
        }
    }

    /// Polls the handler and turns the Vm until neither makes progress; true when the attempt is
    /// over.
    fn turns(&mut self) -> bool {
        loop {
            while self.wake_up.take() {
                if self.poll() {
                    return true;
                }
            }
            let mut state = self.attempt.lock();
            state.pause_unpolled_runs();
            let woken = match state.vm.turn() {
                Ok(Turn::Offered(handle)) => vec![handle],
                Ok(Turn::Execute(runs)) => runs,
                Ok(Turn::NeedInput) => {
                    self.rest = Rest::NeedsInput;
                    return false;
                }
                Ok(Turn::Executing) => {
                    self.rest = Rest::Executing;
                    return false;
                }
                Ok(Turn::Suspended) => return true, // The Vm has already sent the suspension.
                Err(error) => {
                    self.warn(&error.to_string());
                    return true;
                }
            };
            // Wake without holding the lock, since a waker may run arbitrary code.
            let wakers: Vec<Waker> =
                woken.iter().filter_map(|handle| state.waker(*handle).cloned()).collect();
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// Logs why an attempt failed, for the operator of the service. A terminal failure is a result
    /// and is not logged.
    fn warn(&self, error: &str) {
        let _span = self.span.enter();
        tracing::warn!(
            error,
            "an attempt failed; the runtime's retry policy decides what happens next"
        );
    }

    /// Polls the handler once; true when the attempt is over.
    fn poll(&mut self) -> bool {
        let span = self.span.enter();
        let polling = Polling::enter(self.attempt.lock().vm.is_replaying());
        let mut cx = Context::from_waker(&self.waker);
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut self.handling).poll(&mut cx)));
        drop((polling, span));
        let mut state = self.attempt.lock();
        if state.has_ended() {
            // Fails only if the attempt has already ended on the wire, and then there is nothing
            // left to report.
            let _ = match state.fault.take() {
                Some(Fault::Untold(message)) => {
                    self.warn(&message);
                    state.vm.fail(&message, "")
                }
                Some(Fault::Misuse(message)) => {
                    self.warn(&message);
                    state.vm.misused(&message)
                }
                Some(Fault::Told) | None => Ok(()),
            };
            return true;
        }
        let outcome = match polled {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(Ok(answer))) => Ok(Ok(answer)),
            Ok(Poll::Ready(Err(error)))
                if error.terminal().is_some() && !state.compensations.is_empty() =>
            {
                // The handler continues as the future that undoes its steps.
                let attempt = Arc::clone(&self.attempt);
                let undoing: Handling =
                    Box::pin(async move { Err(saga::undo(attempt, error).await) });
                self.handling = unconstrained(undoing);
                self.wake_up.want();
                return false;
            }
            Ok(Poll::Ready(Err(error))) => match error.into_terminal() {
                Ok(terminal) => Ok(Err(terminal.into_failure())),
                Err(error) => Err(chain(&*error)),
            },
            Err(panic) => Err(format!("the handler panicked: {}", panic_message(&*panic))),
        };
        let said: Result<(), VmError> = match outcome {
            Ok(result) => state.vm.sys_output(result).and_then(|()| state.vm.end()),
            Err(message) => {
                self.warn(&message);
                state.vm.fail(&message, "")
            }
        };
        // A journal mismatch at the output has been reported on the wire, like any other.
        drop(said);
        true
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
