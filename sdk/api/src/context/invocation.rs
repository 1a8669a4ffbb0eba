//! Handles to other invocations, by id.

use std::marker::PhantomData;

use protocol::journal::{
    InvocationTarget, NotificationResult,
    notification::{CANCEL_SIGNAL, SignalId},
};

use super::{Context, Signal};
use crate::{
    future::{Durable, read_optional, read_value},
    payload::{Decode, Encode},
};

/// A handle to another invocation, whose result is a `T`.
pub struct Invocation<'c, T> {
    ctx: &'c Context,
    id: String,
    marker: PhantomData<fn() -> T>,
}

impl Context {
    /// A handle to the invocation with this id, as returned by a send or displayed by the runtime.
    pub fn invocation<T>(&self, id: impl Into<String>) -> Invocation<'_, T> {
        Invocation { ctx: self, id: id.into(), marker: PhantomData }
    }

    #[track_caller]
    pub(crate) fn attach<T: Decode>(&self, target: InvocationTarget) -> Durable<'_, T> {
        let handle = self.attempt.issue(|vm| vm.sys_attach(target));
        Durable::new(&self.attempt, handle, read_value)
    }

    #[track_caller]
    pub(crate) fn output<T: Decode>(&self, target: InvocationTarget) -> Durable<'_, Option<T>> {
        let handle = self.attempt.issue(|vm| vm.sys_get_output(target));
        Durable::new(&self.attempt, handle, read_optional)
    }
}

impl<'c, T> Invocation<'c, T> {
    /// The invocation id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Cancels the invocation: its next wait fails with
    /// [`Terminal::is_cancelled`](crate::Terminal::is_cancelled), and so do those of its callees.
    #[track_caller]
    pub fn cancel(&self) {
        let signal = SignalId::Index(CANCEL_SIGNAL);
        let result = NotificationResult::Void;
        self.ctx.attempt.issue(|vm| vm.sys_send_signal(&self.id, signal, result));
    }

    /// Sends a signal to the invocation.
    #[track_caller]
    pub fn signal<V: Encode>(&self, signal: &Signal<V>, value: impl std::borrow::Borrow<V>) {
        signal.send(self.ctx, &self.id, value);
    }
}

impl<'c, T: Decode> Invocation<'c, T> {
    /// Waits until the invocation completes, and returns its result.
    #[track_caller]
    pub fn attach(&self) -> Durable<'c, T> {
        self.ctx.attach(InvocationTarget::Id(self.id.clone()))
    }

    /// The invocation's result if it has completed, `None` otherwise.
    #[track_caller]
    pub fn output(&self) -> Durable<'c, Option<T>> {
        self.ctx.output(InvocationTarget::Id(self.id.clone()))
    }
}
