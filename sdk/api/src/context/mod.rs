//! Contexts: what a handler may ask for. Which methods there are follows from the kind of handler.
//!
//! | context | for | state | promises |
//! |---|---|---|---|
//! | [`Context`] | services | | |
//! | [`ObjectContext`] | a virtual object's writers, one at a time for each key | read and write | |
//! | [`SharedObjectContext`] | a virtual object's readers | read | |
//! | [`WorkflowContext`] | a workflow's `run`, once for each key | read and write | yes |
//! | [`SharedWorkflowContext`] | a workflow's other handlers | read | yes |
//!
//! Each of them dereferences to [`Context`], and is handed on by reference: it ends with its handler,
//! so that nothing durable can be asked for from a task that nobody waits for.

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

/// What a service's handler may ask for, and every other handler too.
pub struct Context {
    pub(crate) attempt: Arc<Attempt>,
}

impl Context {
    /// The invocation's id, as the runtime and its operators print it.
    pub fn invocation_id(&self) -> &str {
        &self.attempt.facts.invocation_id
    }

    /// A header of the request, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers();
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The headers of the request.
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

    /// The client's idempotency key, from protocol 7 on.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.attempt.facts.idempotency_key.as_deref()
    }

    /// The scope of the invocation, from protocol 7 on.
    pub fn scope(&self) -> Option<&str> {
        self.attempt.facts.scope.as_deref()
    }

    /// The limit key within the scope, from protocol 7 on.
    pub fn limit_key(&self) -> Option<&str> {
        self.attempt.facts.limit_key.as_deref()
    }

    /// How many attempts have failed since the journal last grew. Not the same on every replay: for
    /// people, not for decisions.
    pub fn failed_attempts(&self) -> u32 {
        self.attempt.facts.retry_count
    }

    /// Lets a future finish although the invocation is cancelled meanwhile; the cancellation reaches
    /// the first wait outside.
    ///
    /// A cancellation reaches whatever waits at that moment, one future after the other. What a handler
    /// begins to await after it has seen one is not disturbed, so cleaning up needs no `uncancelled`.
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

    /// Ends any future with [`Terminal::is_elapsed`](crate::Terminal::is_elapsed) after a durable
    /// time; for a [`Durable`](crate::Durable) there is
    /// [`timeout`](crate::Durable::timeout) in the chain.
    ///
    /// # Errors
    /// The future's own, and the elapsed time.
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

    /// The argument, for the code that the macros write.
    #[doc(hidden)]
    pub fn input<T: Decode>(&self) -> Result<T> {
        let input = std::mem::take(&mut self.attempt.lock().input);
        T::decode(input).map_err(|error| crate::Terminal::new(400, error.to_string()).into())
    }

    /// Writes a value, or gives the attempt up.
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
    /// What a virtual object's writer may ask for: one at a time runs for each key.
    ObjectContext,
    "virtual object"
);
keyed!(
    /// What a virtual object's reader may ask for: it runs beside the writer.
    SharedObjectContext,
    "virtual object"
);
keyed!(
    /// What a workflow's `run` may ask for: it runs once for each key.
    WorkflowContext,
    "workflow"
);
keyed!(
    /// What a workflow's other handlers may ask for: they run beside `run`, and after it.
    SharedWorkflowContext,
    "workflow"
);
