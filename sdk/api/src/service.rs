//! What the macros make of a user's type: a service, a virtual object or a workflow.

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

/// A service, virtual object or workflow. Written by [`service`](macro@crate::service),
/// [`object`](macro@crate::object) and [`workflow`](macro@crate::workflow).
pub trait Definition: Send + Sync + Sized + 'static {
    /// Its name.
    const NAME: &'static str;

    /// Its handlers, in the order of the description.
    #[doc(hidden)]
    const HANDLERS: &'static [HandlerSite];

    /// A request to it: has a method for each handler.
    type Request<M>: From<Request<M>>;

    /// What it says about itself on discovery.
    fn describe() -> discovery::Service;

    /// Runs a handler, named by its place in the description.
    #[doc(hidden)]
    fn handle(
        self: Arc<Self>,
        handler: usize,
        ctx: Context,
    ) -> BoxFuture<'static, Result<bytes::Bytes, HandlerError>>;
}

/// A handler: its name, and where its function begins.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct HandlerSite {
    /// As it is called.
    pub name: &'static str,
    /// File and line.
    pub line: &'static str,
}

/// How a plain service is called.
pub trait Service: Definition {
    /// A call whose answer is awaited: `Greeter::call().greet(ctx, name).await?`.
    fn call() -> Self::Request<InHandler> {
        Request::in_handler(Self::NAME, String::new()).into()
    }

    /// A one-way call: `Digest::send().add(ctx, line)`.
    fn send() -> Self::Request<OneWay> {
        Self::after(Duration::ZERO)
    }

    /// A one-way call after at least this time: `Digest::after(1.hours()).add(ctx, line)`.
    fn after(delay: Duration) -> Self::Request<OneWay> {
        Request::in_handler(Self::NAME, String::new()).after(delay).into()
    }

    /// A call from outside: `Greeter::client(&ingress).greet(name).await?`.
    fn client(ingress: &Ingress) -> Self::Request<Direct<'_>> {
        Request::direct(ingress, Self::NAME, String::new()).into()
    }
}

/// How a virtual object or a workflow is called.
pub trait Keyed: Definition {
    /// A call to a key: `Counter::key("k").add(ctx, 1).await?`, or one-way,
    /// `Counter::key("k").send().add(ctx, 1)`.
    fn key(key: impl Into<String>) -> Self::Request<InHandler> {
        Request::in_handler(Self::NAME, key.into()).into()
    }

    /// A call from outside: `Counter::client(&ingress).key("k").add(1).await?`.
    fn client(ingress: &Ingress) -> KeyedClient<'_, Self> {
        KeyedClient::new(ingress)
    }
}

/// How a workflow is called; its requests have `attach` and `output` for the answer of its `run`.
pub trait Workflow: Keyed {}
