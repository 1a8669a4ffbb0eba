//! Signals: values sent to a running invocation, by name.

use std::borrow::Cow;
use std::marker::PhantomData;

use protocol::journal::{NotificationResult, notification::SignalId};

use super::Context;
use crate::{
    error::Terminal,
    future::{Durable, read_sent},
    payload::{Decode, Encode},
};

/// The name of a signal and the type of its value. Declare it once, as a constant.
#[derive(Debug, Clone)]
pub struct Signal<T> {
    name: Cow<'static, str>,
    marker: PhantomData<fn() -> T>,
}

impl<T> Signal<T> {
    /// A signal whose name is known at compile time.
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), marker: PhantomData }
    }

    /// A signal whose name is computed at run time.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Cow::Owned(name.into()), marker: PhantomData }
    }

    fn id(&self) -> SignalId {
        SignalId::Name(self.name.to_string())
    }

    /// Sends a failure to an invocation.
    #[track_caller]
    pub fn reject(&self, ctx: &Context, invocation_id: &str, failure: Terminal) {
        let result = NotificationResult::Failure(failure.into_failure());
        ctx.attempt.issue(|vm| vm.sys_send_signal(invocation_id, self.id(), result));
    }
}

impl<T: Decode> Signal<T> {
    /// Waits until the signal is sent to this invocation. A signal that is sent twice is received
    /// twice.
    #[track_caller]
    pub fn receive<'c>(&self, ctx: &'c Context) -> Durable<'c, T> {
        let handle = ctx.attempt.issue(|vm| vm.sys_signal(self.id()));
        Durable::new(&ctx.attempt, handle, read_sent)
    }
}

impl<T: Encode> Signal<T> {
    /// Sends a value to an invocation.
    #[track_caller]
    pub fn send(&self, ctx: &Context, invocation_id: &str, value: impl std::borrow::Borrow<T>) {
        if let Some(bytes) = ctx.encode(value.borrow()) {
            let result = NotificationResult::Value(bytes);
            ctx.attempt.issue(|vm| vm.sys_send_signal(invocation_id, self.id(), result));
        }
    }
}
