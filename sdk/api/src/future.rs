//! Futures of journaled results. They work with any future combinator.

use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use protocol::journal::NotificationResult;
use sdk_core::Handle;

use crate::{
    attempt::Attempt,
    error::{Result, Terminal},
    payload::Decode,
};

/// The future result of a command, such as a call, a sleep, or an awakeable.
///
/// The command is issued when the method that returns this future is called, whether or not the
/// future is awaited. It can be awaited, joined, raced, and dropped like any other future. Its
/// error is the failure of the operation it waits for, or the cancellation of this invocation.
#[must_use = "the command is issued, but its result is lost unless it is awaited"]
pub struct Durable<'c, T> {
    attempt: &'c Attempt,
    /// `None` once the result has been returned, or if the attempt has ended: the future then stays
    /// pending.
    handle: Option<Handle>,
    read: fn(NotificationResult) -> Read<T>,
    origin: &'static Location<'static>,
    marker: PhantomData<fn() -> T>,
}

/// What a future makes of a notification's result: a value, a failure, or a reason to fail the
/// attempt.
pub(crate) type Read<T> = std::result::Result<Result<T, Terminal>, String>;

impl<'c, T> Durable<'c, T> {
    #[track_caller]
    pub(crate) fn new(
        attempt: &'c Attempt,
        handle: Option<Handle>,
        read: fn(NotificationResult) -> Read<T>,
    ) -> Self {
        Self { attempt, handle, read, origin: Location::caller(), marker: PhantomData }
    }

    /// Fails with [`Terminal::is_elapsed`] if the result takes longer than `after`. The timer is
    /// durable: it keeps running while the service is down. The operation itself keeps running too,
    /// but its result is ignored.
    ///
    /// For other futures, including those that do not come from the journal, see
    /// [`Context::timeout`](crate::Context::timeout).
    #[track_caller]
    pub fn timeout(self, after: Duration) -> Timeout<'c, Self> {
        let sleep = crate::context::sleep(self.attempt, "timeout", after);
        Timeout { future: self, sleep }
    }

    pub(crate) fn attempt(&self) -> &'c Attempt {
        self.attempt
    }

    pub(crate) fn handle(&self) -> Option<Handle> {
        self.handle
    }
}

impl<T> Future for Durable<'_, T> {
    type Output = Result<T, Terminal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(handle) = self.handle else { return Poll::Pending };
        let mut state = self.attempt.lock();
        let Some(outcome) = state.poll(handle, cx.waker()) else { return Poll::Pending };
        drop(state);
        if outcome.is_ok() {
            self.handle = None; // After a cancellation, the result may still arrive.
        }
        match outcome.map(self.read) {
            Ok(Ok(result)) => Poll::Ready(result),
            Ok(Err(fault)) => {
                self.attempt.give_up(format!("{}: {fault}", self.origin));
                Poll::Pending
            }
            Err(cancelled) => Poll::Ready(Err(cancelled)),
        }
    }
}

impl<T> Drop for Durable<'_, T> {
    fn drop(&mut self) {
        if let Some(handle) = self.handle {
            self.attempt.lock().forget(handle);
        }
    }
}

/// Reads a value of a user's type.
pub(crate) fn read_value<T: Decode>(result: NotificationResult) -> Read<T> {
    match result {
        NotificationResult::Value(bytes) => decode(bytes).map(Ok),
        NotificationResult::Void => decode(Bytes::new()).map(Ok),
        NotificationResult::Failure(failure) => Ok(Err(failure.into())),
        other @ (NotificationResult::InvocationId(_) | NotificationResult::StateKeys(_)) => {
            Err(unexpected(&other))
        }
    }
}

/// Reads the value with which an awakeable, a promise, or a signal was completed. If it is not of
/// type `T`, the sender is at fault rather than the handler, so the message says where the value
/// came from.
pub(crate) fn read_sent<T: Decode>(result: NotificationResult) -> Read<T> {
    read_value(result).map_err(|error| {
        format!("the value that this awakeable, promise or signal was completed with: {error}")
    })
}

/// Reads a value of a user's type, if there is one.
pub(crate) fn read_optional<T: Decode>(result: NotificationResult) -> Read<Option<T>> {
    if result == NotificationResult::Void {
        return Ok(Ok(None));
    }
    read_value(result).map(|value| value.map(Some))
}

/// Reads a completion, ignoring any value.
pub(crate) fn read_done(result: NotificationResult) -> Read<()> {
    match result {
        NotificationResult::Failure(failure) => Ok(Err(failure.into())),
        NotificationResult::Void | NotificationResult::Value(_) => Ok(Ok(())),
        other @ (NotificationResult::InvocationId(_) | NotificationResult::StateKeys(_)) => {
            Err(unexpected(&other))
        }
    }
}

/// Reads the invocation id of a callee.
pub(crate) fn read_id(result: NotificationResult) -> Read<String> {
    match result {
        NotificationResult::InvocationId(id) => Ok(Ok(id)),
        NotificationResult::Failure(failure) => Ok(Err(failure.into())),
        other @ (NotificationResult::Void
        | NotificationResult::Value(_)
        | NotificationResult::StateKeys(_)) => Err(unexpected(&other)),
    }
}

pub(crate) fn unexpected(result: &NotificationResult) -> String {
    format!("the runtime sent {result:?}, which is not valid here")
}

fn decode<T: Decode>(bytes: Bytes) -> std::result::Result<T, String> {
    T::decode(bytes).map_err(|error| error.to_string())
}

/// A future with a timeout; see [`Durable::timeout`].
#[must_use = "futures do nothing unless polled"]
pub struct Timeout<'c, F> {
    pub(crate) future: F,
    pub(crate) sleep: Durable<'c, ()>,
}

impl<T, F: Future<Output = Result<T, Terminal>> + Unpin> Future for Timeout<'_, F> {
    type Output = Result<T, Terminal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = Pin::new(&mut self.future).poll(cx) {
            return Poll::Ready(output);
        }
        Pin::new(&mut self.sleep)
            .poll(cx)
            .map(|slept| Err(slept.err().unwrap_or_else(Terminal::elapsed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sender is at fault, not the handler, so the error has to name where the value came from.
    #[test]
    fn a_value_of_another_type_is_named_by_what_it_was_sent_to() {
        let sent = || NotificationResult::Value(Bytes::from_static(b"\"text\""));
        assert_eq!(read_sent::<String>(sent()), Ok(Ok("text".to_owned())));
        let error = read_sent::<u64>(sent()).unwrap_err();
        assert!(error.contains("this awakeable, promise or signal was completed with"), "{error}");
    }
}
