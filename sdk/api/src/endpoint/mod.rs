//! The endpoint: the services that a process offers, and the port on which a runtime reaches them.

mod attempt_body;
mod connection;
mod discovery;
mod http;
pub(crate) mod identity;
mod patience;
mod poll_budget;
mod server;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use protocol::discovery::Service;
use tokio::net::{TcpListener, ToSocketAddrs};

use crate::{
    attempt::{Clock, SystemClock},
    context::Context,
    error::HandlerError,
    service::{Definition, HandlerSite},
};
pub use attempt_body::{AttemptBody, Opening};
use identity::IdentityKey;
pub use identity::IdentityKeyError;
use patience::Patience;
use poll_budget::PollCost;

/// The services that a process offers, ready to be served over HTTP.
///
/// ```no_run
/// use abide_sdk::prelude::*;
///
/// struct Greeter;
/// #[service]
/// impl Greeter {
///     pub async fn greet(&self, _ctx: &Context, name: String) -> Result<String> {
///         Ok(format!("Hello {name}"))
///     }
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), abide_sdk::EndpointError> {
///     abide_sdk::Endpoint::new().bind(Greeter).serve("127.0.0.1:9080").await
/// }
/// ```
#[derive(Clone)]
pub struct Endpoint {
    services: BTreeMap<String, Bound>,
    keys: Vec<IdentityKey>,
    clock: Arc<dyn Clock>,
    patience: Patience,
}

type Handle =
    dyn Fn(usize, Context) -> BoxFuture<'static, Result<bytes::Bytes, HandlerError>> + Send + Sync;

#[derive(Clone)]
struct Bound {
    name: &'static str,
    description: Service,
    handlers: &'static [HandlerSite],
    /// The poll cost of each handler.
    poll_costs: Vec<Arc<PollCost>>,
    handle: Arc<Handle>,
}

/// Why an endpoint cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address cannot be bound.
    #[error("cannot bind the address: {0}")]
    Listen(#[source] std::io::Error),
    /// The services do not form a valid manifest: for example, a name is reserved or used twice.
    #[error("the manifest is invalid: {0}")]
    Manifest(#[from] protocol::discovery::ManifestError),
}

impl Default for Endpoint {
    fn default() -> Self {
        Self::new()
    }
}

impl Endpoint {
    /// An endpoint without services.
    pub fn new() -> Self {
        Self {
            services: BTreeMap::new(),
            keys: Vec::new(),
            clock: Arc::new(SystemClock),
            patience: Patience::default(),
        }
    }

    /// Adds a service, virtual object, or workflow. It replaces one with the same name.
    #[must_use]
    pub fn bind<D: Definition>(mut self, definition: D) -> Self {
        let definition = Arc::new(definition);
        let handle = move |handler, ctx| Arc::clone(&definition).handle(handler, ctx);
        let description = D::describe();
        let handle = Arc::new(handle);
        let (name, handlers) = (D::NAME, D::HANDLERS);
        let poll_costs = handlers.iter().map(|_| Arc::default()).collect();
        let bound = Bound { name, description, handlers, poll_costs, handle };
        self.services.insert(D::NAME.to_owned(), bound);
        self
    }

    /// Accepts only requests signed with this public key of a runtime (`publickeyv1_…`), or with
    /// another key added by this method.
    ///
    /// # Errors
    /// Returns an error if `key` is not a valid key.
    pub fn identity_key(mut self, key: &str) -> Result<Self, IdentityKeyError> {
        self.keys.push(IdentityKey::parse(key)?);
        Ok(self)
    }

    /// Replaces the system clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Serves on an address, with HTTP/2 without TLS and HTTP/1.1 on the same port, until the
    /// process receives SIGTERM or Ctrl-C. Requests in progress then have ten seconds to finish.
    ///
    /// # Errors
    /// Returns an error if the address cannot be bound or the manifest is invalid.
    pub async fn serve(self, address: impl ToSocketAddrs) -> Result<(), EndpointError> {
        let listener = TcpListener::bind(address).await.map_err(EndpointError::Listen)?;
        self.serve_listener(listener, server::asked_to_end()).await
    }

    /// Serves on a listener until `end` completes. Requests in progress then have ten seconds to
    /// finish.
    ///
    /// # Errors
    /// Returns an error if the manifest is invalid.
    pub async fn serve_listener(
        self,
        listener: TcpListener,
        end: impl Future<Output = ()> + Send,
    ) -> Result<(), EndpointError> {
        discovery::manifest(&self, true).validate()?;
        server::serve(Arc::new(self), listener, end).await;
        Ok(())
    }

    /// The discovery manifest, which describes the services of the endpoint.
    pub fn manifest(&self) -> protocol::discovery::Manifest {
        discovery::manifest(self, true)
    }

    /// Opens an attempt of a handler, for transports other than HTTP; `None` if there is no such
    /// handler.
    pub fn open(&self, service: &str, handler: &str) -> Option<Opening> {
        let bound = self.services.get(service)?;
        let index = bound.handlers.iter().position(|one| one.name == handler)?;
        let service = bound.name;
        let handler = bound.handlers[index];
        let handle = Arc::clone(&bound.handle);
        let clock = Arc::clone(&self.clock);
        let cost = Arc::clone(&bound.poll_costs[index]);
        Some(Opening { service, handler, index, handle, clock, cost })
    }

    /// Logs the address and the names of the services.
    fn say_listening(&self, address: std::io::Result<SocketAddr>) {
        let services: Vec<&str> = self.services.keys().map(String::as_str).collect();
        match address {
            Ok(address) => tracing::info!(%address, ?services, "the endpoint is listening"),
            Err(error) => tracing::warn!(%error, "the endpoint's address is unknown"),
        }
    }
}
