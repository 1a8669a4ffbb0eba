//! Durable promises: completed once in the life of a workflow, and visible to all of its handlers.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::Deref;

use super::{Context, SharedWorkflowContext, WorkflowContext};
use crate::{
    error::Terminal,
    future::{Durable, read_done, read_optional, read_sent},
    payload::{Decode, Encode},
};

/// The name of a promise and the type of its value. Declare it once, as a constant.
#[derive(Debug, Clone)]
pub struct Promise<T> {
    name: Cow<'static, str>,
    marker: PhantomData<fn() -> T>,
}

/// A context whose invocation belongs to a workflow.
#[diagnostic::on_unimplemented(
    message = "a handler with a `&{Self}` has no promises",
    label = "this is not a workflow context",
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
    /// A promise whose name is known at compile time.
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), marker: PhantomData }
    }

    /// A promise whose name is computed at run time.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Cow::Owned(name.into()), marker: PhantomData }
    }

    /// Completes the promise with a failure. Fails with code 409 if it is already completed.
    #[track_caller]
    pub fn reject<'c>(&self, ctx: &'c impl WithPromises, failure: Terminal) -> Durable<'c, ()> {
        let failure = failure.into_failure();
        let handle = ctx.attempt.issue(|vm| vm.sys_complete_promise(&self.name, Err(failure)));
        Durable::new(&ctx.attempt, handle, read_done)
    }
}

impl<T: Decode> Promise<T> {
    /// Waits until the promise is completed, and returns its value or failure.
    #[track_caller]
    pub fn get<'c>(&self, ctx: &'c impl WithPromises) -> Durable<'c, T> {
        let handle = ctx.attempt.issue(|vm| vm.sys_get_promise(&self.name));
        Durable::new(&ctx.attempt, handle, read_sent)
    }

    /// The value if the promise is completed, `None` otherwise.
    #[track_caller]
    pub fn peek<'c>(&self, ctx: &'c impl WithPromises) -> Durable<'c, Option<T>> {
        let handle = ctx.attempt.issue(|vm| vm.sys_peek_promise(&self.name));
        Durable::new(&ctx.attempt, handle, read_optional)
    }
}

impl<T: Encode> Promise<T> {
    /// Completes the promise with a value. Fails with code 409 if it is already completed.
    #[track_caller]
    pub fn resolve<'c>(
        &self,
        ctx: &'c impl WithPromises,
        value: impl std::borrow::Borrow<T>,
    ) -> Durable<'c, ()> {
        // Not in a closure, which would lose the caller's location.
        let handle = match ctx.encode(value.borrow()) {
            Some(bytes) => ctx.attempt.issue(|vm| vm.sys_complete_promise(&self.name, Ok(bytes))),
            None => None,
        };
        Durable::new(&ctx.attempt, handle, read_done)
    }
}
