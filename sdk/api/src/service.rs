//! What the macros turn a user's type into: a service, a virtual object, or a workflow.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use protocol::discovery;

use crate::{
    client::{Direct, Ingress, KeyedClient},
    context::Context,
    error::HandlerError,
    request::{InHandler, OneWay, Request, SendOptions},
};

/// A service, virtual object, or workflow. Implemented by [`service`](macro@crate::service),
/// [`object`](macro@crate::object), and [`workflow`](macro@crate::workflow).
pub trait Definition: Send + Sync + Sized + 'static {
    /// The name under which the service is registered and called.
    const NAME: &'static str;

    /// The handlers, in the same order as in the description.
    #[doc(hidden)]
    const HANDLERS: &'static [HandlerSite];

    /// A request to the service, with one method per handler.
    type Request<M>: From<Request<M>>;

    /// The description that is part of the discovery manifest.
    fn describe() -> discovery::Service;

    /// Runs the handler at this index of [`HANDLERS`](Self::HANDLERS).
    #[doc(hidden)]
    fn handle(
        self: Arc<Self>,
        handler: usize,
        ctx: Context,
    ) -> BoxFuture<'static, Result<bytes::Bytes, HandlerError>>;
}

/// A handler's name, and where its function is defined.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct HandlerSite {
    /// The name under which the handler is called.
    pub name: &'static str,
    /// Source location, as `file:line`.
    pub line: &'static str,
}

/// Calls to a plain service.
pub trait Service: Definition {
    /// A call whose result is awaited: `Greeter::call().greet(ctx, name).await?`.
    fn call() -> Self::Request<InHandler> {
        Request::in_handler(Self::NAME, String::new()).into()
    }

    /// A one-way call: `Digest::send().add(ctx, line)`.
    fn send() -> Self::Request<OneWay> {
        Self::after(Duration::ZERO)
    }

    /// A one-way call, delivered after at least `delay`: `Digest::after(1.hours()).add(ctx, line)`.
    fn after(delay: Duration) -> Self::Request<OneWay> {
        Request::in_handler(Self::NAME, String::new()).after(delay).into()
    }

    /// A call from outside a handler: `Greeter::client(&ingress).greet(name).await?`.
    fn client(ingress: &Ingress) -> Self::Request<Direct<'_>> {
        Request::direct(ingress, Self::NAME, String::new()).into()
    }
}

/// Calls to a virtual object or a workflow.
pub trait Keyed: Definition {
    /// A call to the object or workflow with this key: `Counter::key("k").add(ctx, 1).await?`, or
    /// one-way, `Counter::key("k").send().add(ctx, 1)`.
    fn key(key: impl Into<String>) -> Self::Request<InHandler> {
        Request::in_handler(Self::NAME, key.into()).into()
    }

    /// A call from outside a handler: `Counter::client(&ingress).key("k").add(1).await?`.
    fn client(ingress: &Ingress) -> KeyedClient<'_, Self> {
        KeyedClient::new(ingress)
    }
}

/// Calls to a workflow, whose requests also have `attach` and `output` for the result of its `run`.
pub trait Workflow: Keyed {}
