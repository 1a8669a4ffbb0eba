//! Durable execution with ordinary async Rust.
//!
//! A handler is an ordinary `async fn`. The runtime journals every operation that it performs
//! through its context. If the process, the connection, or the runtime fails, the handler runs
//! again and receives the recorded results, so it resumes where it left off. In effect, it
//! completes exactly once.
//!
//! Services built with this crate run on Abide and on any server that speaks the open Restate
//! service protocol, versions 5 to 7.
//!
//! # A service
//!
//! Every `pub async fn` that takes a context is a handler; other functions in the block are left
//! alone. The struct is an ordinary struct: put into it whatever its handlers need.
//!
//! ```no_run
//! use abide_sdk::prelude::*;
//!
//! struct Greeter {
//!     greeting: String,
//! }
//!
//! #[service]
//! impl Greeter {
//!     /// Greets a person by name.
//!     pub async fn greet(&self, _ctx: &Context, name: String) -> Result<String> {
//!         Ok(format!("{} {name}", self.greeting))
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), abide_sdk::EndpointError> {
//!     let greeter = Greeter { greeting: "Hello".to_owned() };
//!     Endpoint::new().bind(greeter).serve("127.0.0.1:9080").await
//! }
//! ```
//!
//! Arguments and results are any types that serde supports, encoded as JSON, or [`Raw`] bytes. If a
//! type implements `schemars::JsonSchema`, its schema becomes part of discovery; doc comments do
//! too. See [`macro@service`] for the options of services and handlers.
//!
//! # Side effects
//!
//! Side effects such as IO go into [`Context::run`]: the closure runs at least once, and its result
//! is journaled.
//!
//! ```
//! # use abide_sdk::prelude::*;
//! # struct Payments;
//! # impl Payments { async fn charge(&self, _token: &str) -> Result<u64> { Ok(1) } }
//! # struct Shop { payments: Payments }
//! #[service]
//! impl Shop {
//!     pub async fn buy(&self, ctx: &Context) -> Result<u64> {
//!         let token = ctx.uuid().to_string(); // the same on every attempt
//!         let charge = ctx
//!             .run("charge", || self.payments.charge(&token))
//!             .retry(Retry::exponential(250.ms()).max_attempts(8))
//!             .await?;
//!         Ok(charge)
//!     }
//! }
//! ```
//!
//! Time and randomness have durable counterparts: [`Context::now`], [`Context::random_u64`],
//! [`Context::uuid`].
//!
//! # Errors
//!
//! An error returned with `?` makes the runtime retry the handler, unless it is a [`Terminal`]
//! error, which ends the invocation and is returned to the caller. See [`HandlerError`].
//!
//! # State
//!
//! A virtual object has a key, state stored under that key, and at most one writer at a time.
//!
//! ```
//! use abide_sdk::prelude::*;
//!
//! struct Counter;
//!
//! const COUNT: State<u64> = State::new("count");
//!
//! #[object]
//! impl Counter {
//!     pub async fn add(&self, ctx: &ObjectContext, more: u64) -> Result<u64> {
//!         let count = COUNT.get(ctx).await?.unwrap_or(0) + more;
//!         COUNT.set(ctx, count);
//!         Ok(count)
//!     }
//!
//!     /// Runs concurrently with the writer and cannot write: `COUNT.set` does not compile here.
//!     pub async fn look(&self, ctx: &SharedObjectContext) -> Result<Option<u64>> {
//!         Ok(COUNT.get(ctx).await?)
//!     }
//! }
//! ```
//!
//! # Calls
//!
//! The macros give each type a call syntax: the type, the key, options, then the handler.
//!
//! ```
//! # use abide_sdk::prelude::*;
//! # struct Counter;
//! # #[object]
//! # impl Counter {
//! #     pub async fn add(&self, _ctx: &ObjectContext, more: u64) -> Result<u64> { Ok(more) }
//! # }
//! # struct Digest;
//! # #[service]
//! # impl Digest {
//! #     pub async fn line(&self, _ctx: &Context, _line: String) -> Result<()> { Ok(()) }
//! # }
//! # async fn example(ctx: &Context) -> Result<()> {
//! let count = Counter::key("k").add(ctx, 1).await?; // a call
//! Counter::key("k").idempotency_key("once").add(ctx, 1).await?;
//! Counter::key("k").send().add(ctx, 1); // one-way
//! Digest::after(1.hours()).line(ctx, format!("{count}")); // one-way, delayed
//! # Ok(()) }
//! ```
//!
//! From outside a handler: `Counter::client(&ingress).key("k").add(1).await?`; see [`Ingress`].
//!
//! # Waiting
//!
//! Every operation that waits returns a future ([`Durable`]), and its command is issued when the
//! method is called. Combine these futures with any combinator: `join!`, `tokio::select!`,
//! `FuturesUnordered`, channels between branches. All of it is deterministic on replay, because
//! results become visible one at a time, in journal order.
//!
//! ```
//! # use abide_sdk::prelude::*;
//! # struct Kitchen;
//! # #[service]
//! # impl Kitchen {
//! #     pub async fn cook(&self, _ctx: &Context, _callback: String) -> Result<()> { Ok(()) }
//! # }
//! # async fn example(ctx: &Context) -> Result<()> {
//! let (callback, ready) = ctx.awakeable::<String>(); // completed from outside, by its id
//! Kitchen::send().cook(ctx, callback);
//! match ready.timeout(30.minutes()).await {
//!     Err(error) if error.is_elapsed() => return Err(Terminal::new(504, "no answer").into()),
//!     other => println!("{}", other?),
//! }
//!
//! let (_, first) = ctx.awakeable::<String>();
//! let night = ctx.sleep(8.hours());
//! tokio::select! {
//!     answer = first => println!("{}", answer?),
//!     slept = night => slept?,
//! }
//! # Ok(()) }
//! ```
//!
//! [`join_all`] and [`try_join_all`] behave like their counterparts in `futures`, and also tell the
//! runtime what they wait for, so that a suspended handler is woken once instead of once per
//! result.
//!
//! One rule is left to you: branches that issue commands in the same poll must be polled in a fixed
//! order. `futures::join!` and this crate's [`select!`] do that; `tokio::select!` polls its
//! branches in random order, so issue the commands before it, as above. The test kit (`abide-test`)
//! detects violations.
//!
//! # Workflows
//!
//! A workflow has a `run` handler that executes once per key, and other handlers that run
//! concurrently with it. They communicate through state and promises.
//!
//! ```
//! use abide_sdk::prelude::*;
//!
//! struct Signup;
//!
//! const CLICKED: Promise<String> = Promise::new("clicked");
//!
//! #[workflow(retention = "7d")]
//! impl Signup {
//!     pub async fn run(&self, ctx: &WorkflowContext, secret: String) -> Result<bool> {
//!         Ok(CLICKED.get(ctx).await? == secret)
//!     }
//!
//!     pub async fn click(&self, ctx: &SharedWorkflowContext, secret: String) -> Result<()> {
//!         Ok(CLICKED.resolve(ctx, secret).await?)
//!     }
//! }
//!
//! # async fn example(ctx: &Context) -> Result<()> {
//! Signup::key("ada").send().run(ctx, "s3cret".to_owned());
//! let is_genuine = Signup::key("ada").attach(ctx).await?; // its result, from anywhere
//! # Ok(()) }
//! ```
//!
//! # Signals
//!
//! ```
//! # use abide_sdk::prelude::*;
//! const GO: Signal<u64> = Signal::new("go");
//! # async fn example(ctx: &Context, other: &str) -> Result<()> {
//! GO.send(ctx, other, 7); // to a running invocation, by its id
//! let number = GO.receive(ctx).await?;
//! # Ok(()) }
//! ```
//!
//! # Sagas and cancellation
//!
//! When a handler ends with a terminal error, its completed steps can be undone in reverse order:
//! see [`Context::saga`]. A cancellation is such an error: it is returned by whatever the handler
//! is awaiting at that moment, and futures that it starts to await afterwards are not affected.
//! [`Context::uncancelled`] lets a section finish first.
//!
//! ```
//! # use abide_sdk::prelude::*;
//! # struct Flights;
//! # #[service]
//! # impl Flights {
//! #     pub async fn book(&self, _ctx: &Context) -> Result<String> { Ok(String::new()) }
//! #     pub async fn cancel(&self, _ctx: &Context, _id: String) -> Result<()> { Ok(()) }
//! # }
//! # struct Hotels;
//! # #[service]
//! # impl Hotels {
//! #     pub async fn book(&self, _ctx: &Context) -> Result<String> { Ok(String::new()) }
//! # }
//! # async fn example(ctx: &Context) -> Result<()> {
//! let mut saga = ctx.saga();
//! let flight = Flights::call().book(ctx).await?;
//! saga.compensate("flight", move |ctx| async move {
//!     Ok(Flights::call().cancel(&ctx, flight).await?)
//! });
//! Hotels::call().book(ctx).await?; // if this fails terminally, the flight is cancelled
//! # Ok(()) }
//! ```
//!
//! # Logs
//!
//! A handler's code runs again on every replay; [`OncePerStep`] makes sure that each of its log
//! lines appears once. Log lines belong to a span that carries the service, key, handler, and
//! invocation id.
//!
//! # Tests
//!
//! The `abide-test` crate runs handlers in process, on the real runtime with a virtual clock,
//! replays every step, and injects crashes with one line of code. `docs/clippy.toml` in the
//! repository forbids the usual sources of nondeterminism in handlers; copy it.

// Lets macro-generated code refer to this crate as `abide_sdk` within the crate itself.
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
mod wake_up;

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
pub use request::{InHandler, OneWay, Request, RequestOptions, SendOptions};
pub use sdk_macros::{object, service, workflow};
pub use service::{Definition, Keyed, Service, Workflow};

/// A `tokio::select!` that polls its branches in the order in which they are written, as a handler
/// requires when a branch issues a command.
///
/// ```
/// # use abide_sdk::prelude::*;
/// # async fn example(ctx: &Context) -> Result<()> {
/// let (_, answer) = ctx.awakeable::<String>();
/// abide_sdk::select! {
///     answer = answer => println!("{}", answer?),
///     slept = ctx.sleep(1.hours()) => slept?,
/// }
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! select {
    ($($branches:tt)*) => { $crate::rt::select! { biased; $($branches)* } };
}

/// Everything that most handlers and their callers need.
pub mod prelude {
    pub use crate::{
        Context, DurationExt, Endpoint, HandlerError, Ingress, Keyed, ObjectContext, Promise, Raw,
        RequestOptions, Result, Retry, SendOptions, Service, SharedObjectContext,
        SharedWorkflowContext, Signal, State, Terminal, TerminalExt, Workflow, WorkflowContext,
        join_all, object, service, try_join_all, workflow,
    };
}
