//! Requests to a handler, from a handler or from outside: where to, and what goes with them.

use std::borrow::Cow;
use std::time::Duration;

/// A request before its verb: the name of the handler, a method that the macros write, sends it.
pub struct Request<M> {
    pub(crate) parts: Parts,
    pub(crate) mode: M,
}

/// Where a request goes, and what goes with it beside the argument.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    pub(crate) service: Cow<'static, str>,
    pub(crate) key: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) limit_key: Option<String>,
}

/// A call from within a handler, whose answer is awaited.
pub struct InHandler;

/// A one-way call from within a handler.
pub struct OneWay {
    pub(crate) delay: Duration,
}

impl Parts {
    pub(crate) fn to(service: &'static str, key: String) -> Self {
        Self { service: Cow::Borrowed(service), key, ..Self::default() }
    }
}

impl Request<InHandler> {
    /// A request to a service whose name is known only at run time; [`Request::call`] says the handler.
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

/// What goes with a request: said before the verb.
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
    /// The parts that the options change.
    #[doc(hidden)]
    fn parts_mut(&mut self) -> &mut Parts;

    /// The same key, the same invocation: a repetition gets the first one's answer.
    #[must_use]
    fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.parts_mut().idempotency_key = Some(key.into());
        self
    }

    /// A header for the callee.
    #[must_use]
    fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parts_mut().headers.push((name.into(), value.into()));
        self
    }

    /// The flow-control scope; needs protocol 7.
    #[must_use]
    fn scope(mut self, scope: impl Into<String>) -> Self {
        self.parts_mut().scope = Some(scope.into());
        self
    }

    /// The limit key within the scope; needs protocol 7.
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

/// Turns a request whose answer is awaited into one that nobody waits for.
pub trait SendOptions: Sized {
    /// The one-way request.
    type OneWay;

    /// One-way, after at least this time.
    fn after(self, delay: Duration) -> Self::OneWay;

    /// One-way, now.
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
