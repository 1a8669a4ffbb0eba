//! Calls of other handlers, awaited or one-way.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use protocol::journal::CallRequest;

use super::{Context, Invocation};
use crate::{
    duration::millis,
    error::{Result, Terminal},
    future::{Durable, Timeout, read_id, read_value},
    payload::{Decode, Encode},
    request::{InHandler, OneWay, Parts, Request},
};

/// A call in progress, which resolves to the callee's result or failure.
#[must_use = "the call is made, but its result is lost unless it is awaited; use `.send()` for a one-way call"]
pub struct Call<'c, T> {
    pub(super) answer: Durable<'c, T>,
    id: IdOf<'c>,
}

/// A one-way call. The runtime delivers it whatever happens to this invocation.
pub struct Sent<'c, T> {
    ctx: &'c Context,
    id: IdOf<'c>,
    marker: std::marker::PhantomData<fn() -> T>,
}

enum IdOf<'c> {
    Coming(Durable<'c, String>),
    Known(String),
}

impl IdOf<'_> {
    async fn get(&mut self) -> Result<String, Terminal> {
        match self {
            Self::Known(id) => Ok(id.clone()),
            Self::Coming(coming) => {
                let id = coming.await?;
                *self = Self::Known(id.clone());
                Ok(id)
            }
        }
    }
}

impl<'c, T> Call<'c, T> {
    /// The callee's invocation id, once the runtime has assigned it.
    ///
    /// # Errors
    /// Returns an error if this invocation is cancelled in the meantime.
    pub async fn invocation_id(&mut self) -> Result<String, Terminal> {
        self.id.get().await
    }

    /// Fails with [`Terminal::is_elapsed`] if the result takes longer than `after`. The callee
    /// keeps running.
    #[track_caller]
    pub fn timeout(self, after: Duration) -> Timeout<'c, Durable<'c, T>> {
        self.answer.timeout(after)
    }

    /// The future of the result alone.
    pub fn into_answer(self) -> Durable<'c, T> {
        self.answer
    }
}

impl<T> Future for Call<'_, T> {
    type Output = Result<T, Terminal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(cx)
    }
}

impl<'c, T> Sent<'c, T> {
    /// The invocation that was started, once the runtime has assigned its id.
    ///
    /// # Errors
    /// Returns an error if this invocation is cancelled in the meantime.
    pub async fn invocation(mut self) -> Result<Invocation<'c, T>, Terminal> {
        Ok(self.ctx.invocation(self.id.get().await?))
    }
}

impl Request<InHandler> {
    /// Calls a handler by its name.
    #[track_caller]
    pub fn call<'c, T: Decode>(
        self,
        ctx: &'c Context,
        handler: &str,
        argument: &(impl Encode + ?Sized),
    ) -> Call<'c, T> {
        // Not in a closure, which would lose the caller's location.
        let handles = match call_request(self.parts, ctx, handler, argument) {
            Some(request) => ctx.attempt.issue(|vm| vm.sys_call(request)),
            None => None,
        };
        let (id, answer) = handles.unzip();
        Call {
            answer: Durable::new(&ctx.attempt, answer, read_value),
            id: IdOf::Coming(Durable::new(&ctx.attempt, id, read_id)),
        }
    }
}

impl Request<OneWay> {
    /// Sends a one-way request to a handler by its name.
    #[track_caller]
    pub fn call<'c, T>(
        self,
        ctx: &'c Context,
        handler: &str,
        argument: &(impl Encode + ?Sized),
    ) -> Sent<'c, T> {
        let invoke_time_ms = match millis(self.mode.delay) {
            0 => 0,
            delay_ms => ctx.attempt.now_ms().saturating_add(delay_ms),
        };
        let id = match call_request(self.parts, ctx, handler, argument) {
            Some(request) => ctx.attempt.issue(|vm| vm.sys_send(request, invoke_time_ms)),
            None => None,
        };
        Sent {
            ctx,
            id: IdOf::Coming(Durable::new(&ctx.attempt, id, read_id)),
            marker: std::marker::PhantomData,
        }
    }
}

fn call_request(
    parts: Parts,
    ctx: &Context,
    handler: &str,
    argument: &(impl Encode + ?Sized),
) -> Option<CallRequest> {
    Some(CallRequest {
        service: parts.service.into_owned(),
        handler: handler.to_owned(),
        key: parts.key,
        parameter: ctx.encode(argument)?,
        headers: parts.headers,
        idempotency_key: parts.idempotency_key,
        scope: parts.scope,
        limit_key: parts.limit_key,
    })
}
