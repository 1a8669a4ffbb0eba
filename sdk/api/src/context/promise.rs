//! Durable promises: completed once in the life of a workflow, seen by all of its handlers.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::Deref;

use super::{Context, SharedWorkflowContext, WorkflowContext};
use crate::{
    error::Terminal,
    future::{Durable, read_done, read_optional, read_sent},
    payload::{Decode, Encode},
};

/// The name of a promise and the type of its value: spelled once, as a constant.
#[derive(Debug, Clone)]
pub struct Promise<T> {
    name: Cow<'static, str>,
    marker: PhantomData<fn() -> T>,
}

/// A context whose invocation belongs to a workflow.
#[diagnostic::on_unimplemented(
    message = "a handler with a `&{Self}` has no promises",
    label = "this context is not a workflow's",
    note = "promises belong to a workflow: take a `&WorkflowContext` or `&SharedWorkflowContext`, or use \
            an awakeable"
)]
pub trait WithPromises: Deref<Target = Context> + sealed::Sealed {}

mod sealed {
    pub trait Sealed {}
}

impl sealed::Sealed for WorkflowContext {}
impl sealed::Sealed for SharedWorkflowContext {}
impl WithPromises for WorkflowContext {}
impl WithPromises for SharedWorkflowContext {}

impl<T> Promise<T> {
    /// A name that is known beforehand.
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), marker: PhantomData }
    }

    /// A name that is made on the way.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Cow::Owned(name.into()), marker: PhantomData }
    }

    /// Completes it with a failure; fails itself, with code 409, when it was completed before.
    #[track_caller]
    pub fn reject<'c>(&self, ctx: &'c impl WithPromises, failure: Terminal) -> Durable<'c, ()> {
        let failure = failure.into_failure();
        let handle = ctx.attempt.issue(|vm| vm.sys_complete_promise(&self.name, Err(failure)));
        Durable::new(&ctx.attempt, handle, read_done)
    }
}

impl<T: Decode> Promise<T> {
    /// Done when somebody completes it, with the value or the failure.
    #[track_caller]
    pub fn get<'c>(&self, ctx: &'c impl WithPromises) -> Durable<'c, T> {
        let handle = ctx.attempt.issue(|vm| vm.sys_get_promise(&self.name));
        Durable::new(&ctx.attempt, handle, read_sent)
    }

    /// The value, if it is completed.
    #[track_caller]
    pub fn peek<'c>(&self, ctx: &'c impl WithPromises) -> Durable<'c, Option<T>> {
        let handle = ctx.attempt.issue(|vm| vm.sys_peek_promise(&self.name));
        Durable::new(&ctx.attempt, handle, read_optional)
    }
}

impl<T: Encode> Promise<T> {
    /// Completes it with a value; fails, with code 409, when it was completed before.
    #[track_caller]
    pub fn resolve<'c>(
        &self,
        ctx: &'c impl WithPromises,
        value: impl std::borrow::Borrow<T>,
    ) -> Durable<'c, ()> {
        // No closure around it: the caller's line would be lost.
        let handle = match ctx.encode(value.borrow()) {
            Some(bytes) => ctx.attempt.issue(|vm| vm.sys_complete_promise(&self.name, Ok(bytes))),
            None => None,
        };
        Durable::new(&ctx.attempt, handle, read_done)
    }
}
