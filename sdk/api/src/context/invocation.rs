//! Another invocation, by its id: its result, its end.

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

/// Another invocation that answers with a `T`.
pub struct Invocation<'c, T> {
    ctx: &'c Context,
    id: String,
    marker: PhantomData<fn() -> T>,
}

impl Context {
    /// An invocation, by the id that a send or an operator knows.
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
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Asks it to end: its next wait fails with [`Terminal::is_cancelled`](crate::Terminal::is_cancelled),
    /// and so do its callees'.
    #[track_caller]
    pub fn cancel(&self) {
        let signal = SignalId::Index(CANCEL_SIGNAL);
        let result = NotificationResult::Void;
        self.ctx.attempt.issue(|vm| vm.sys_send_signal(&self.id, signal, result));
    }

    /// Sends it a signal.
    #[track_caller]
    pub fn signal<V: Encode>(&self, signal: &Signal<V>, value: impl std::borrow::Borrow<V>) {
        signal.send(self.ctx, &self.id, value);
    }
}

impl<'c, T: Decode> Invocation<'c, T> {
    /// Its answer, when it has one.
    #[track_caller]
    pub fn attach(&self) -> Durable<'c, T> {
        self.ctx.attach(InvocationTarget::Id(self.id.clone()))
    }

    /// Its answer, if it has one by now.
    #[track_caller]
    pub fn output(&self) -> Durable<'c, Option<T>> {
        self.ctx.output(InvocationTarget::Id(self.id.clone()))
    }
}
