//! Requests to handlers, from within a handler or from outside: their target and options.

use std::borrow::Cow;
use std::time::Duration;

/// A request that is not sent yet. The macros generate a method named after each handler, which
/// sends it.
pub struct Request<M> {
    pub(crate) parts: Parts,
    pub(crate) mode: M,
}

/// The target of a request, and everything that is sent along with the argument.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    pub(crate) service: Cow<'static, str>,
    pub(crate) key: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) limit_key: Option<String>,
}

/// Mode of a request from within a handler whose result is awaited.
pub struct InHandler;

/// Mode of a one-way request from within a handler.
pub struct OneWay {
    pub(crate) delay: Duration,
}

impl Parts {
    pub(crate) fn to(service: &'static str, key: String) -> Self {
        Self { service: Cow::Borrowed(service), key, ..Self::default() }
    }
}

impl Request<InHandler> {
    /// A request to a service whose name is known only at run time; [`Request::call`] takes the
    /// handler's name.
    ///
    /// ```
    /// # use abide_sdk::{Request, prelude::*};
    /// # async fn example(ctx: &Context, name: &str) -> Result<()> {
    /// let answer: String = Request::service(name.to_owned()).call(ctx, "greet", "Ada").await?;
    /// Request::object("Counter", "k").idempotency_key("once").after(1.hours()).call::<()>(ctx, "add", &1);
    /// # Ok(()) }
    /// ```
    pub fn service(name: impl Into<Cow<'static, str>>) -> Self {
        Self::object(name, "")
    }

    /// A request to a virtual object or workflow whose name is known only at run time.
    pub fn object(name: impl Into<Cow<'static, str>>, key: impl Into<String>) -> Self {
        let parts = Parts { service: name.into(), key: key.into(), ..Parts::default() };
        Self { parts, mode: InHandler }
    }

    pub(crate) fn in_handler(service: &'static str, key: String) -> Self {
        Self { parts: Parts::to(service, key), mode: InHandler }
    }
}

/// Options of a request, set before the handler's method is called.
///
/// ```
/// # use abide_sdk::prelude::*;
/// # struct Payments;
/// # #[service]
/// # impl Payments {
/// #     pub async fn charge(&self, _ctx: &Context, cents: u64) -> Result<()> { Ok(()) }
/// # }
/// # async fn example(ctx: &Context) -> Result<()> {
/// Payments::call().idempotency_key("o-1").header("tenant", "acme").charge(ctx, 990).await?;
/// # Ok(()) }
/// ```
pub trait RequestOptions: Sized {
    /// The parts of the request that the options modify.
    #[doc(hidden)]
    fn parts_mut(&mut self) -> &mut Parts;

    /// Sets the idempotency key. Requests with the same key share one invocation: a repeated
    /// request receives the result of the first.
    #[must_use]
    fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.parts_mut().idempotency_key = Some(key.into());
        self
    }

    /// Adds a header that the callee can read.
    #[must_use]
    fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parts_mut().headers.push((name.into(), value.into()));
        self
    }

    /// Sets the flow-control scope. Requires protocol 7.
    #[must_use]
    fn scope(mut self, scope: impl Into<String>) -> Self {
        self.parts_mut().scope = Some(scope.into());
        self
    }

    /// Sets the limit key within the scope. Requires protocol 7.
    #[must_use]
    fn limit_key(mut self, key: impl Into<String>) -> Self {
        self.parts_mut().limit_key = Some(key.into());
        self
    }
}

impl<M> RequestOptions for Request<M> {
    fn parts_mut(&mut self) -> &mut Parts {
        &mut self.parts
    }
}

/// Turns a request whose result is awaited into a one-way request.
pub trait SendOptions: Sized {
    /// The type of the one-way request.
    type OneWay;

    /// Makes the request one-way, to be delivered after at least `delay`.
    fn after(self, delay: Duration) -> Self::OneWay;

    /// Makes the request one-way, to be delivered immediately.
    fn send(self) -> Self::OneWay {
        self.after(Duration::ZERO)
    }
}

impl SendOptions for Request<InHandler> {
    type OneWay = Request<OneWay>;

    fn after(self, delay: Duration) -> Request<OneWay> {
        Request { parts: self.parts, mode: OneWay { delay } }
    }
}
