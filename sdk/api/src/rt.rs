//! For the code that the macros write; not for people.

pub use crate::{
    client::{ClientError, Direct, DirectOneWay, IngressInvocation},
    context::{Call, Context, Sent},
    error::HandlerError,
    future::Durable,
    request::{InHandler, OneWay, Parts, Request},
    service::{Definition, HandlerSite},
};
pub use bytes::Bytes;
pub use futures::future::BoxFuture;
pub use protocol::discovery;
pub use protocol::journal::InvocationTarget;
pub use tokio::select;

use std::marker::PhantomData;

use crate::payload::{Decode, Encode};

/// What a handler's return type is when all is well.
pub trait Outcome {
    /// The value.
    type Value;
}

impl<T, E> Outcome for Result<T, E> {
    type Value = T;
}

/// A type whose JSON schema is asked for, whether or not it has one.
pub struct Probe<T>(pub PhantomData<T>);

/// The schema of a type that has one: found first, since the receiver is a reference to a reference.
pub trait WithSchema {
    /// The schema.
    fn schema(&self) -> Option<serde_json::Value>;
}

/// No schema for the others.
pub trait WithoutSchema {
    /// Nothing.
    fn schema(&self) -> Option<serde_json::Value>;
}

impl<T: schemars::JsonSchema> WithSchema for &Probe<T> {
    fn schema(&self) -> Option<serde_json::Value> {
        // Nothing in it means an empty body, which has no schema.
        if size_of::<T>() == 0 {
            return None;
        }
        Some(
            schemars::generate::SchemaSettings::draft2020_12()
                .into_generator()
                .into_root_schema_for::<T>()
                .to_value(),
        )
    }
}

impl<T> WithoutSchema for Probe<T> {
    fn schema(&self) -> Option<serde_json::Value> {
        None
    }
}

/// What a handler takes.
pub fn input<T: Decode>(json_schema: Option<serde_json::Value>) -> discovery::InputPayload {
    discovery::InputPayload {
        required: Some(T::decode(Bytes::new()).is_err()),
        content_type: Some(<T as Decode>::content_type().to_owned()),
        json_schema,
    }
}

/// What a handler answers.
pub fn output<T: Encode>(json_schema: Option<serde_json::Value>) -> discovery::OutputPayload {
    discovery::OutputPayload {
        content_type: Some(<T as Encode>::content_type().to_owned()),
        set_content_type_if_empty: Some(false),
        json_schema,
    }
}

/// Writes a handler's answer.
pub fn answer<T: Encode>(value: &T) -> Result<Bytes, HandlerError> {
    Ok(value.encode()?)
}

impl Request<InHandler> {
    /// The answer of a workflow's `run`, when it has one.
    #[track_caller]
    pub fn attach<'c, T: Decode>(self, ctx: &'c Context) -> Durable<'c, T> {
        ctx.attach(self.workflow())
    }

    /// The answer of a workflow's `run`, if it has one by now.
    #[track_caller]
    pub fn output<'c, T: Decode>(self, ctx: &'c Context) -> Durable<'c, Option<T>> {
        ctx.output(self.workflow())
    }

    fn workflow(self) -> InvocationTarget {
        let Parts { service, key, scope, .. } = self.parts;
        InvocationTarget::Workflow { name: service.into_owned(), key, scope }
    }
}
