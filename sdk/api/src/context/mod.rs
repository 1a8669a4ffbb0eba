//! Contexts, through which a handler performs durable operations. The kind of handler determines
//! which methods are available.
//!
//! | context | for | state | promises |
//! |---|---|---|---|
//! | [`Context`] | services | | |
//! | [`ObjectContext`] | a virtual object's writers, one at a time per key | read and write | |
//! | [`SharedObjectContext`] | a virtual object's readers | read | |
//! | [`WorkflowContext`] | a workflow's `run`, once per key | read and write | yes |
//! | [`SharedWorkflowContext`] | a workflow's other handlers | read | yes |
//!
//! All of them dereference to [`Context`] and are passed by reference. A context cannot outlive its
//! handler, so a detached task cannot perform durable operations.

mod awakeable;
mod call;
mod invocation;
mod join;
mod promise;
mod random;
mod run;
pub(crate) mod saga;
mod signal;
mod sleep;
mod state;

use std::future::Future;
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use crate::{
    attempt::Attempt,
    error::{HandlerError, Result},
    payload::{Decode, Encode},
};

pub use call::{Call, Sent};
pub use invocation::Invocation;
pub use join::{JoinAll, TryJoinAll, join_all, try_join_all};
pub use promise::{Promise, WithPromises};
pub use run::{Retry, Run};
pub use saga::Saga;
pub use signal::Signal;
pub(crate) use sleep::sleep;
pub use state::{ReadState, State, WriteState};

/// The context of a service's handler, which every other context builds on.
pub struct Context {
    pub(crate) attempt: Arc<Attempt>,
}

impl Context {
    /// The invocation id, in the form in which the runtime displays it.
    pub fn invocation_id(&self) -> &str {
        &self.attempt.facts.invocation_id
    }

    /// The value of a request header. Names are matched case-insensitively.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers();
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The request headers, as pairs of name and value.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attempt.facts.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The name of the service that was called.
    pub fn service(&self) -> &'static str {
        self.attempt.facts.service
    }

    /// The name of the handler that was called.
    pub fn handler(&self) -> &'static str {
        self.attempt.facts.handler
    }

    /// The client's idempotency key. Available with protocol 7 or newer.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.attempt.facts.idempotency_key.as_deref()
    }

    /// The scope of the invocation. Available with protocol 7 or newer.
    pub fn scope(&self) -> Option<&str> {
        self.attempt.facts.scope.as_deref()
    }

    /// The limit key within the scope. Available with protocol 7 or newer.
    pub fn limit_key(&self) -> Option<&str> {
        self.attempt.facts.limit_key.as_deref()
    }

    /// Number of attempts that have failed since the journal last grew. It differs between replays,
    /// so use it for diagnostics only, not for decisions.
    pub fn failed_attempts(&self) -> u32 {
        self.attempt.facts.retry_count
    }

    /// Lets a future finish even if the invocation is cancelled in the meantime; the cancellation
    /// then reaches the first wait outside it.
    ///
    /// A cancellation reaches every future that is waiting at that moment, one after another.
    /// Futures that a handler starts to await after it has seen a cancellation are not affected, so
    /// cleanup code needs no `uncancelled`.
    pub async fn uncancelled<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        std::future::poll_fn(|cx| {
            self.attempt.lock().shields += 1;
            let polled = future.as_mut().poll(cx);
            self.attempt.lock().shields -= 1;
            polled
        })
        .await
    }

    /// Fails with [`Terminal::is_elapsed`](crate::Terminal::is_elapsed) if `future` takes longer
    /// than `after`, measured by a durable timer. A [`Durable`](crate::Durable) has its own
    /// [`timeout`](crate::Durable::timeout) method.
    ///
    /// # Errors
    /// Returns the future's own error, or an error if the time has elapsed or the invocation is
    /// cancelled.
    #[track_caller]
    pub fn timeout<T, E, F>(
        &self,
        after: std::time::Duration,
        future: F,
    ) -> impl Future<Output = Result<T>> + use<'_, T, E, F>
    where
        F: Future<Output = Result<T, E>>,
        E: Into<HandlerError>,
    {
        let mut sleep = self.sleep(after);
        async move {
            let mut future = pin!(future);
            std::future::poll_fn(|cx| {
                if let Poll::Ready(output) = future.as_mut().poll(cx) {
                    return Poll::Ready(output.map_err(Into::into));
                }
                Pin::new(&mut sleep).poll(cx).map(|slept| match slept {
                    Ok(()) => Err(crate::Terminal::elapsed().into()),
                    Err(cancelled) => Err(cancelled.into()),
                })
            })
            .await
        }
    }

    /// Decodes the argument; used by macro-generated code.
    #[doc(hidden)]
    pub fn input<T: Decode>(&self) -> Result<T> {
        let input = std::mem::take(&mut self.attempt.lock().input);
        T::decode(input).map_err(|error| crate::Terminal::new(400, error.to_string()).into())
    }

    /// Encodes a value, or fails the attempt.
    pub(crate) fn encode(&self, value: &(impl Encode + ?Sized)) -> Option<bytes::Bytes> {
        match value.encode() {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                self.attempt.give_up(error.to_string());
                None
            }
        }
    }
}

macro_rules! keyed {
    ($(#[$doc:meta])* $name:ident, $of:literal) => {
        $(#[$doc])*
        pub struct $name(Context);

        impl $name {
            #[doc = concat!("The key of the ", $of, ".")]
            pub fn key(&self) -> &str {
                &self.0.attempt.facts.key
            }
        }

        impl Deref for $name {
            type Target = Context;

            fn deref(&self) -> &Context {
                &self.0
            }
        }

        impl From<Context> for $name {
            fn from(context: Context) -> Self {
                Self(context)
            }
        }
    };
}

keyed!(
    /// The context of a virtual object's writer, of which one runs at a time per key.
    ObjectContext,
    "virtual object"
);
keyed!(
    /// The context of a virtual object's reader, which runs concurrently with the writer.
    SharedObjectContext,
    "virtual object"
);
keyed!(
    /// The context of a workflow's `run`, which executes once per key.
    WorkflowContext,
    "workflow"
);
keyed!(
    /// The context of a workflow's other handlers, which run concurrently with `run` and after it.
    SharedWorkflowContext,
    "workflow"
);
