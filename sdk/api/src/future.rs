//! Futures of results that the journal brings. Combine them with whatever combines futures.

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

/// The result of a command: a call, a sleep, an awakeable …
///
/// The command was issued when the method that returned this was called, whether or not it is
/// awaited. It can be awaited, joined, raced and dropped like any future. Its error is the failure of
/// what it waits for, or the cancellation of this invocation.
#[must_use = "the command is issued, but its result is lost unless it is awaited"]
pub struct Durable<'c, T> {
    attempt: &'c Attempt,
    /// `None` when the attempt has ended; it stays pending then.
    handle: Option<Handle>,
    read: fn(NotificationResult) -> Read<T>,
    origin: &'static Location<'static>,
    marker: PhantomData<fn() -> T>,
}

/// What a notification's result is to a future: a value, a failure, or a reason to give up.
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

    /// Fails with [`Terminal::is_elapsed`] if it takes longer than this. The time is durable: it goes
    /// on while the service is away. What is waited for goes on too; its result is ignored.
    ///
    /// For any future, also one that is not of the journal, see
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
            self.handle = None; // After a cancellation its result may still come.
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

/// A value of a user's type.
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

/// A value that somebody else has completed an awakeable, a promise or a signal with: if it is none of the
/// type, that is theirs to mend, so the message says whose it is.
pub(crate) fn read_sent<T: Decode>(result: NotificationResult) -> Read<T> {
    read_value(result).map_err(|error| {
        format!("the value that this awakeable, promise or signal was completed with: {error}")
    })
}

/// A value of a user's type, if there is one.
pub(crate) fn read_optional<T: Decode>(result: NotificationResult) -> Read<Option<T>> {
    if result == NotificationResult::Void {
        return Ok(Ok(None));
    }
    read_value(result).map(|value| value.map(Some))
}

/// Nothing but that it is done.
pub(crate) fn read_done(result: NotificationResult) -> Read<()> {
    match result {
        NotificationResult::Failure(failure) => Ok(Err(failure.into())),
        NotificationResult::Void | NotificationResult::Value(_) => Ok(Ok(())),
        other @ (NotificationResult::InvocationId(_) | NotificationResult::StateKeys(_)) => {
            Err(unexpected(&other))
        }
    }
}

/// A callee's id.
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
    format!("the runtime answered with {result:?}, which makes no sense here")
}

fn decode<T: Decode>(bytes: Bytes) -> std::result::Result<T, String> {
    T::decode(bytes).map_err(|error| error.to_string())
}

/// A future with an end; see [`Durable::timeout`].
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

    /// The handler has no fault that a new revision would mend, so who has is said.
    #[test]
    fn a_value_of_another_type_is_named_by_what_it_was_sent_to() {
        let sent = || NotificationResult::Value(Bytes::from_static(b"\"text\""));
        assert_eq!(read_sent::<String>(sent()), Ok(Ok("text".to_owned())));
        let error = read_sent::<u64>(sent()).unwrap_err();
        assert!(error.contains("this awakeable, promise or signal was completed with"), "{error}");
    }
}
