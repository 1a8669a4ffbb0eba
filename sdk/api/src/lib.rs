//! Durable execution with ordinary async Rust.

// So that the code of the macros finds this crate under its name here too.
#[cfg(test)]
extern crate self as abide_sdk;

mod attempt;
mod client;
pub mod context;
mod duration;
mod endpoint;
mod error;
mod executor;
mod future;
mod log;
mod payload;
mod request;
#[doc(hidden)]
pub mod rt;
mod service;
#[cfg(test)]
mod tests;

pub use attempt::{Clock, SystemClock, is_replaying};
pub use client::{ClientError, Ingress, IngressInvocation, KeyedClient, Transport, TransportError};
pub use context::{
    Call, Context, Invocation, JoinAll, ObjectContext, Promise, ReadState, Retry, Run, Saga, Sent,
    SharedObjectContext, SharedWorkflowContext, Signal, State, TryJoinAll, WithPromises,
    WorkflowContext, WriteState, join_all, try_join_all,
};
pub use duration::DurationExt;
pub use endpoint::{AttemptBody, Endpoint, EndpointError, IdentityKeyError, Opening};
pub use error::{HandlerError, Result, Terminal, TerminalExt};
pub use future::{Durable, Timeout};
pub use log::OncePerStep;
pub use payload::{Decode, Encode, PayloadError, Raw};
pub use request::{RequestOptions, SendOptions};
pub use sdk_macros::{object, service, workflow};
pub use service::{Definition, Keyed, Service, Workflow, WorkflowClient, WorkflowRequest};

/// Everything a handler needs.
pub mod prelude {
    pub use crate::{
        Context, DurationExt, Endpoint, HandlerError, Ingress, Keyed, ObjectContext, Promise, Raw,
        RequestOptions, Result, Retry, SendOptions, Service, SharedObjectContext,
        SharedWorkflowContext, Signal, State, Terminal, TerminalExt, Workflow, WorkflowClient,
        WorkflowContext, WorkflowRequest, join_all, object, service, try_join_all, workflow,
    };
}
