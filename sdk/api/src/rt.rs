//! Support for macro-generated code; not a public interface.

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

/// Names the success type of a handler's `Result`.
pub trait HandlerResult {
    /// The `Ok` type.
    type Value;
}

impl<T, E> HandlerResult for Result<T, E> {
    type Value = T;
}

/// A probe for the JSON schema of a type, which may or may not have one.
pub struct Probe<T>(pub PhantomData<T>);

/// The schema of a type that has one. Method lookup finds it first, since the probe is called
/// through a reference to a reference.
pub trait WithSchema {
    /// The JSON schema; `None` if the type has no data and so an empty body.
    fn schema(&self) -> Option<serde_json::Value>;
}

/// The fallback for types without a schema.
pub trait WithoutSchema {
    /// Always `None`.
    fn schema(&self) -> Option<serde_json::Value>;
}

impl<T: schemars::JsonSchema> WithSchema for &Probe<T> {
    fn schema(&self) -> Option<serde_json::Value> {
        // A type without data is an empty body, which has no schema.
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

/// Describes the argument of a handler for discovery.
pub fn input<T: Decode>(json_schema: Option<serde_json::Value>) -> discovery::InputPayload {
    discovery::InputPayload {
        required: Some(T::decode(Bytes::new()).is_err()),
        content_type: Some(<T as Decode>::content_type().to_owned()),
        json_schema,
    }
}

/// Describes the result of a handler for discovery.
pub fn output<T: Encode>(json_schema: Option<serde_json::Value>) -> discovery::OutputPayload {
    discovery::OutputPayload {
        content_type: Some(<T as Encode>::content_type().to_owned()),
        set_content_type_if_empty: Some(false),
        json_schema,
    }
}

/// Encodes a handler's result.
pub fn answer<T: Encode>(value: &T) -> Result<Bytes, HandlerError> {
    Ok(value.encode()?)
}

impl Request<InHandler> {
    /// Waits for the result of a workflow's `run`.
    #[track_caller]
    pub fn attach<'c, T: Decode>(self, ctx: &'c Context) -> Durable<'c, T> {
        ctx.attach(self.workflow())
    }

    /// The result of a workflow's `run` if it has completed, `None` otherwise.
    #[track_caller]
    pub fn output<'c, T: Decode>(self, ctx: &'c Context) -> Durable<'c, Option<T>> {
        ctx.output(self.workflow())
    }

    fn workflow(self) -> InvocationTarget {
        let Parts { service, key, scope, .. } = self.parts;
        InvocationTarget::Workflow { name: service.into_owned(), key, scope }
    }
}
