//! The state that a virtual object or a workflow stores under its key.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::Deref;

use bytes::Bytes;
use protocol::journal::NotificationResult;

use super::{Context, ObjectContext, SharedObjectContext, SharedWorkflowContext, WorkflowContext};
use crate::{
    future::{Durable, Read, read_optional, unexpected},
    payload::{Decode, Encode},
};

/// The name and type of a state value. Declare it once, as a constant.
///
/// ```
/// # use abide_sdk::prelude::*;
/// const COUNT: State<u64> = State::new("count");
///
/// struct Counter;
/// #[object]
/// impl Counter {
///     pub async fn add(&self, ctx: &ObjectContext, more: u64) -> Result<u64> {
///         let count = COUNT.get(ctx).await?.unwrap_or(0) + more;
///         COUNT.set(ctx, count);
///         Ok(count)
///     }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct State<T> {
    name: Cow<'static, str>,
    marker: PhantomData<fn() -> T>,
}

/// A context that can read the state of its key.
#[diagnostic::on_unimplemented(
    message = "a handler with a `&{Self}` has no state",
    label = "this context has no state",
    note = "state belongs to a key: take an `&ObjectContext` or `&SharedObjectContext` in an #[object], a \
            `&WorkflowContext` or `&SharedWorkflowContext` in a #[workflow]"
)]
pub trait ReadState: Deref<Target = Context> + sealed::Sealed {}
/// A context that can change the state of its key.
#[diagnostic::on_unimplemented(
    message = "a handler with a `&{Self}` cannot change state",
    label = "this context is read-only",
    note = "shared handlers run concurrently with the writer: take an `&ObjectContext` in an #[object], or change it \
            in the run of a #[workflow]"
)]
pub trait WriteState: ReadState {}

mod sealed {
    pub trait Sealed {}
}

macro_rules! stateful {
    ($($name:ident),*) => {$(
        impl sealed::Sealed for $name {}
        impl ReadState for $name {}
    )*};
}

stateful!(ObjectContext, SharedObjectContext, WorkflowContext, SharedWorkflowContext);
impl WriteState for ObjectContext {}
impl WriteState for WorkflowContext {}

impl<T> State<T> {
    /// A state value whose name is known at compile time.
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), marker: PhantomData }
    }

    /// A state value whose name is computed at run time.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Cow::Owned(name.into()), marker: PhantomData }
    }

    fn key(&self) -> Bytes {
        match &self.name {
            Cow::Borrowed(name) => Bytes::from_static(name.as_bytes()),
            Cow::Owned(name) => Bytes::copy_from_slice(name.as_bytes()),
        }
    }

    /// Removes the value.
    #[track_caller]
    pub fn clear(&self, ctx: &impl WriteState) {
        ctx.attempt.issue(|vm| vm.sys_clear_state(self.key()));
    }
}

impl<T: Decode> State<T> {
    /// The value, or `None` if it is not set.
    #[track_caller]
    pub fn get<'c>(&self, ctx: &'c impl ReadState) -> Durable<'c, Option<T>> {
        let handle = ctx.attempt.issue(|vm| vm.sys_get_state(self.key()));
        Durable::new(&ctx.attempt, handle, read_optional)
    }
}

impl<T: Encode> State<T> {
    /// Sets the value. The change is journaled with the handler's next step and is visible to
    /// others then.
    #[track_caller]
    pub fn set(&self, ctx: &impl WriteState, value: impl std::borrow::Borrow<T>) {
        if let Some(bytes) = ctx.encode(value.borrow()) {
            ctx.attempt.issue(|vm| vm.sys_set_state(self.key(), bytes));
        }
    }
}

macro_rules! state_methods {
    (read: $($reader:ident),*; write: $($writer:ident),*) => {
        $(impl $reader {
            /// The names of all values in the state, in order.
            #[track_caller]
            pub fn state_keys(&self) -> Durable<'_, Vec<String>> {
                state_keys(self)
            }
        })*
        $(impl $writer {
            /// Removes all state of the key.
            #[track_caller]
            pub fn clear_all(&self) {
                self.attempt.issue(sdk_core::Vm::sys_clear_all_state);
            }
        })*
    };
}

state_methods!(
    read: ObjectContext, SharedObjectContext, WorkflowContext, SharedWorkflowContext;
    write: ObjectContext, WorkflowContext
);

#[track_caller]
fn state_keys(ctx: &Context) -> Durable<'_, Vec<String>> {
    let handle = ctx.attempt.issue(sdk_core::Vm::sys_get_state_keys);
    Durable::new(&ctx.attempt, handle, read_keys)
}

fn read_keys(result: NotificationResult) -> Read<Vec<String>> {
    match result {
        NotificationResult::StateKeys(keys) => {
            let text = |key: Bytes| String::from_utf8(key.to_vec());
            let keys: Result<_, _> = keys.into_iter().map(text).collect();
            keys.map(Ok).map_err(|error| format!("a state key is not valid UTF-8: {error}"))
        }
        NotificationResult::Failure(failure) => Ok(Err(failure.into())),
        other @ (NotificationResult::Void
        | NotificationResult::Value(_)
        | NotificationResult::InvocationId(_)) => Err(unexpected(&other)),
    }
}
