//! Side effects whose results are journaled, so that a replay does not repeat them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::Bytes;
use protocol::Backoff;
use sdk_core::RunRetry;

use super::Context;
use crate::{
    attempt::Fault,
    duration::millis,
    error::{HandlerError, Result, Terminal, chain},
    future::{Durable, Timeout, read_value},
    payload::{Decode, Encode},
};

impl Context {
    /// Executes a side effect, such as IO, and journals its result.
    ///
    /// The closure runs when the future is awaited, at least once. Once its result is stored, it
    /// never runs again. A [`Terminal`] error becomes the result. Any other error is retried
    /// according to the runtime's policy for this handler, without limit unless [`Run::retry`] sets
    /// one.
    ///
    /// The closure can borrow from the handler, but it cannot use the context.
    #[track_caller]
    pub fn run<'c, T, F, Fut>(&'c self, name: &str, closure: F) -> Run<'c, T>
    where
        T: Encode + Decode,
        F: FnOnce() -> Fut + Send + 'c,
        Fut: Future<Output = Result<T>> + Send + 'c,
    {
        let handle = self.attempt.issue(|vm| vm.sys_run(name));
        let execution = Box::pin(async move {
            let value = closure().await?;
            Ok(value.encode().map_err(|error| Terminal::new(500, error.to_string()))?)
        });
        Run {
            durable: Durable::new(&self.attempt, handle, read_value::<T>),
            name: name.to_owned(),
            retry: None,
            execution: Some(execution),
        }
    }
}

/// A side effect whose closure runs when it is awaited; see [`Context::run`].
#[must_use = "the closure runs when this is awaited"]
pub struct Run<'c, T> {
    pub(super) durable: Durable<'c, T>,
    name: String,
    retry: Option<RunRetry>,
    execution: Option<Execution<'c>>,
}

type Execution<'c> = Pin<Box<dyn Future<Output = Result<Bytes, HandlerError>> + Send + 'c>>;

impl<'c, T> Run<'c, T> {
    /// Sets how a failing closure is retried. When the retries are exhausted, the last error
    /// becomes the result, as a [`Terminal`] with code 500.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = Some(retry.0);
        self
    }

    /// Fails with [`Terminal::is_elapsed`] if the run takes longer than `after`, retries included.
    #[track_caller]
    pub fn timeout(self, after: Duration) -> Timeout<'c, Self> {
        let sleep = super::sleep(self.durable.attempt(), "timeout", after);
        Timeout { future: self, sleep }
    }

    /// Polls the closure, and sends its outcome to the runtime.
    fn execute(&mut self, cx: &mut TaskContext<'_>) {
        let Some(handle) = self.durable.handle() else { return };
        let attempt = self.durable.attempt();
        let mut state = attempt.lock();
        if !state.vm.may_execute(handle) {
            return;
        }
        let Some(execution) = &mut self.execution else { return };
        state.running = Some(std::mem::take(&mut self.name));
        let waker = state.alarm(handle, cx.waker());
        drop(state);
        let polled = execution.as_mut().poll(&mut TaskContext::from_waker(&waker));
        let mut state = attempt.lock();
        self.name = state.running.take().unwrap_or_default();
        let Poll::Ready(outcome) = polled else { return };
        self.execution = None;
        if state.has_ended() {
            return;
        }
        let said = match outcome.map_err(HandlerError::into_terminal) {
            Ok(value) => state.vm.propose_run(handle, Ok(value)),
            Err(Ok(terminal)) => state.vm.propose_run(handle, Err(terminal.into_failure())),
            Err(Err(error)) => {
                let retry = self.retry.as_ref();
                let failed = state.vm.fail_run(handle, &self.name, &chain(&*error), retry);
                if state.vm.has_ended() {
                    state.fault = Some(Fault::Told);
                }
                failed
            }
        };
        if said.is_err() {
            state.fault = Some(Fault::Told);
        }
    }
}

impl<T> Future for Run<'_, T> {
    type Output = Result<T, Terminal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = Pin::new(&mut self.durable).poll(cx) {
            self.execution = None;
            return Poll::Ready(output);
        }
        self.execute(cx);
        Poll::Pending
    }
}

/// How a run's closure is retried when it fails: each delay is the previous one times a factor, up
/// to a maximum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry(RunRetry);

/// Default maximum delay: a minute, so that a recovered dependency is noticed soon.
const MAX_INTERVAL_MS: u64 = 60_000;

impl Retry {
    /// Delays that double from `first` up to a minute, or stay at `first` if that is longer,
    /// without a limit on attempts.
    pub fn exponential(first: Duration) -> Self {
        Self(RunRetry {
            backoff: Backoff {
                initial_interval_ms: millis(first),
                factor_thousandths: 2000,
                max_interval_ms: MAX_INTERVAL_MS.max(millis(first)),
            },
            max_attempts: None,
            max_duration_ms: None,
        })
    }

    /// A constant delay, without a limit on attempts.
    pub fn fixed(delay: Duration) -> Self {
        Self(RunRetry {
            backoff: Backoff {
                initial_interval_ms: millis(delay),
                factor_thousandths: 1000,
                max_interval_ms: millis(delay),
            },
            max_attempts: None,
            max_duration_ms: None,
        })
    }

    /// No retries: the first error is the result.
    pub fn never() -> Self {
        Self::fixed(Duration::ZERO).max_attempts(1)
    }

    /// Sets the factor from one delay to the next. It is at least 1 and rounded down to
    /// thousandths.
    #[must_use]
    pub fn factor(mut self, factor: f32) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float to integer cast saturates, and so does a factor that makes no sense"
        )]
        let thousandths = (factor * 1000.0) as u64;
        self.0.backoff.factor_thousandths = thousandths.max(1000);
        self
    }

    /// Sets the maximum delay.
    #[must_use]
    pub fn max_interval(mut self, interval: Duration) -> Self {
        self.0.backoff.max_interval_ms = millis(interval);
        self
    }

    /// Gives up after this many executions; at least one takes place.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.0.max_attempts = Some(attempts.max(1));
        self
    }

    /// Gives up once this much time has passed since the first execution.
    #[must_use]
    pub fn max_duration(mut self, duration: Duration) -> Self {
        self.0.max_duration_ms = Some(millis(duration));
        self
    }
}
