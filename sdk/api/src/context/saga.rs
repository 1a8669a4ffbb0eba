//! Sagas: steps that are undone, in reverse order, when the handler ends with a terminal error.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::Context;
use crate::{
    attempt::Attempt,
    error::{HandlerError, Result, Terminal},
};

type Undoing = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// How to undo one step.
pub(crate) struct Compensation {
    saga: u32,
    name: String,
    undo: Box<dyn FnOnce(Context) -> Undoing + Send>,
}

/// A sequence of steps and how to undo them; see [`Context::saga`].
pub struct Saga<'c> {
    ctx: &'c Context,
    number: u32,
}

impl Context {
    /// Starts a saga. When the handler ends with a [`Terminal`] error, including a cancellation,
    /// the compensations registered with [`Saga::compensate`] run, newest first. A compensation is
    /// ordinary durable code: steps that it completed before a crash are not repeated.
    ///
    /// A compensation that itself fails with a terminal error does not stop the others; the
    /// metadata of the invocation's failure lists those that failed.
    #[track_caller]
    pub fn saga(&self) -> Saga<'_> {
        self.attempt.check_outside_run();
        let mut state = self.attempt.lock();
        state.sagas += 1;
        Saga { ctx: self, number: state.sagas }
    }
}

impl Saga<'_> {
    /// Registers how to undo a step: before the step if it may take effect even though it fails,
    /// after it otherwise.
    pub fn compensate<F, Fut>(&mut self, name: &str, undo: F)
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let undo = Box::new(move |ctx| Box::pin(undo(ctx)) as Undoing);
        let compensation = Compensation { saga: self.number, name: name.to_owned(), undo };
        self.ctx.attempt.lock().compensations.push(compensation);
    }

    /// Keeps the steps, whatever happens afterwards.
    pub fn commit(self) {
        let mut state = self.ctx.attempt.lock();
        state.compensations.retain(|compensation| compensation.saga != self.number);
    }

    /// Undoes the steps now, newest first, for a handler that continues afterwards.
    ///
    /// # Errors
    /// Returns an error if a compensation fails with an error that is worth a retry.
    pub async fn undo(self) -> Result<()> {
        let attempt = &self.ctx.attempt;
        unwind(attempt, Some(self.number)).await.map(|_| ())
    }
}

/// Runs the remaining compensations after the handler has failed with `error`. Returns the failure
/// of the invocation.
pub(crate) async fn undo(attempt: Arc<Attempt>, error: HandlerError) -> HandlerError {
    let failed = match unwind(&attempt, None).await {
        Ok(failed) => failed,
        Err(retryable) => return retryable,
    };
    match error.into_terminal() {
        Ok(mut terminal) => {
            for (name, failure) in failed {
                terminal = terminal.with(format!("compensation {name}"), failure.to_string());
            }
            terminal.into()
        }
        Err(other) => other.into(),
    }
}

/// Undoes one saga, or all of them. Returns the compensations that failed terminally.
async fn unwind(attempt: &Arc<Attempt>, saga: Option<u32>) -> Result<Vec<(String, Terminal)>> {
    let mut failed = Vec::new();
    while let Some(Compensation { name, undo, .. }) = take_newest(attempt, saga) {
        let ctx = Context { attempt: Arc::clone(attempt) };
        let shield = Context { attempt: Arc::clone(attempt) };
        // A second cancellation must not leave things half undone.
        let undone = shield.uncancelled(undo(ctx)).await;
        match undone.map_err(HandlerError::into_terminal) {
            Ok(()) => (),
            Err(Ok(terminal)) => failed.push((name, terminal)),
            Err(Err(error)) => return Err(format!("compensation '{name}': {error}").into()),
        }
    }
    Ok(failed)
}

fn take_newest(attempt: &Attempt, saga: Option<u32>) -> Option<Compensation> {
    let mut state = attempt.lock();
    let wanted = |compensation: &Compensation| saga.is_none_or(|saga| compensation.saga == saga);
    let at = state.compensations.iter().rposition(wanted)?;
    Some(state.compensations.remove(at))
}
