//! What a test calls.

use std::future::{Future, poll_fn};
use std::ops::Deref;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use abide_sdk::{Clock, Definition, Endpoint, Ingress, Transport, TransportError};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use protocol::{HandlerKind, ProtocolVersion};
use runtime_sim::clock::SimClock;

use crate::{chaos::Chaos, journal, world::World};

/// A runtime that is not started yet: what it serves, and what is to go wrong.
pub struct TestRuntime {
    endpoint: Endpoint,
    clock: Arc<SimClock>,
    chaos: Chaos,
    version: ProtocolVersion,
    partitions: usize,
    is_manual: bool,
}

/// A runtime in this process. It is an [`Ingress`]: typed clients take a reference to it.
#[derive(Clone)]
pub struct Running {
    ingress: Ingress,
    shared: Shared,
}

#[derive(Clone)]
struct Shared {
    world: Arc<Mutex<World>>,
    is_manual: bool,
}

struct VirtualClock(Arc<SimClock>);

impl Clock for VirtualClock {
    fn now_ms(&self) -> u64 {
        self.0.now_ms()
    }
}

impl Default for TestRuntime {
    fn default() -> Self {
        Self::new()
    }
}

impl TestRuntime {
    /// A runtime that serves nothing, with two partitions, and in which nothing goes wrong.
    pub fn new() -> Self {
        let clock = Arc::new(SimClock::default());
        let endpoint = Endpoint::new().clock(Arc::new(VirtualClock(Arc::clone(&clock))));
        Self {
            endpoint,
            clock,
            chaos: Chaos::default(),
            version: ProtocolVersion::MAX,
            partitions: 2,
            is_manual: false,
        }
    }

    /// Serves a service, virtual object or workflow.
    #[must_use]
    pub fn bind<D: Definition>(mut self, definition: D) -> Self {
        self.endpoint = self.endpoint.bind(definition);
        self
    }

    /// Breaks every attempt off as soon as its journal has grown: each step is replayed from every
    /// prefix of the journal. What is not deterministic in a handler shows, with the line.
    #[must_use]
    pub fn replay_every_step(mut self) -> Self {
        self.chaos.cut_always = true;
        self.chaos.suspend_always = true;
        self
    }

    /// Suspends handlers at every wait, instead of keeping them for a minute.
    #[must_use]
    pub fn suspend_always(mut self) -> Self {
        self.chaos.suspend_always = true;
        self
    }

    /// The connection to the n-th attempt of all breaks before it has said anything; the first is 1.
    #[must_use]
    pub fn fail_attempt(mut self, n: u64) -> Self {
        self.chaos.failing_attempts.insert(n);
        self
    }

    /// Each invocation's connection breaks, once, when its journal has `n` commands; the first one is
    /// its input.
    #[must_use]
    pub fn cut_after_command(mut self, n: u32) -> Self {
        self.chaos.cut_after.insert(n);
        self
    }

    /// The runtime crashes instead of writing to its log for the n-th time, and starts again: what was
    /// not written then is lost. The first time is 1.
    #[must_use]
    pub fn crash_at_write(mut self, n: u64) -> Self {
        self.chaos.crashes.insert(n);
        self
    }

    /// The newest service protocol that the runtime speaks, 5 to 7.
    ///
    /// # Panics
    /// When there is no such version.
    #[must_use]
    pub fn protocol(mut self, version: u32) -> Self {
        match ProtocolVersion::try_from(version) {
            Ok(version) => self.version = version,
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// How many partitions keys are spread over.
    #[must_use]
    pub fn partitions(mut self, partitions: u16) -> Self {
        self.partitions = usize::from(partitions.max(1));
        self
    }

    /// Time passes only with [`Running::advance`]. Without this it jumps to the next timer whenever
    /// somebody waits for an answer and nothing else is left to do.
    #[must_use]
    pub fn manual_clock(mut self) -> Self {
        self.is_manual = true;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When the services contradict each other: two names that are the same, a name that is reserved.
    pub fn start(self) -> Running {
        let Self { endpoint, clock, chaos, version, partitions, is_manual } = self;
        let world = World::new(endpoint, clock, chaos, version, partitions, 1);
        let world = world.unwrap_or_else(|error| panic!("{error}"));
        let shared = Shared { world: Arc::new(Mutex::new(world)), is_manual };
        let transport = InProcess(shared.clone());
        Running { ingress: Ingress::with_transport(BASE, transport), shared }
    }
}

impl Deref for Running {
    type Target = Ingress;

    fn deref(&self) -> &Ingress {
        &self.ingress
    }
}

impl Running {
    /// The virtual time.
    pub fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.shared.lock().clock.now_ms())
    }

    /// Lets time pass, and everything happen that happens meanwhile, in its order.
    pub async fn advance(&self, by: Duration) {
        let by_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let until_ms = self.shared.lock().clock.now_ms().saturating_add(by_ms);
        poll_fn(|cx| {
            let mut world = self.shared.lock();
            world.wakers.add(cx.waker());
            loop {
                if world.drive() {
                    return Poll::Pending;
                }
                if !world.jump(until_ms) {
                    world.pass_until(until_ms);
                    world.drive();
                    return Poll::Ready(());
                }
            }
        })
        .await;
    }

    /// Lets everything happen that needs no time.
    pub async fn settle(&self) {
        self.advance(Duration::ZERO).await;
    }

    /// The runtime crashes, loses what it has not written, and starts again.
    pub fn crash(&self) {
        self.shared.lock().crash();
    }

    /// The journal of an invocation, a line for each entry, to be reviewed or compared.
    pub fn journal(&self, invocation_id: &str) -> Vec<String> {
        journal::lines(self.shared.lock().node(), invocation_id)
    }

    /// Mistakes in the code of handlers that a replay has shown.
    pub fn mistakes(&self) -> Vec<String> {
        self.shared.lock().mistakes.values().cloned().collect()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the world go on until a future is done that waits for it.
    async fn drive<T>(&self, future: impl Future<Output = T>) -> Result<T, TransportError> {
        let mut future = pin!(future);
        let mut stuck = pin!(tokio::time::sleep(STUCK_TIMEOUT));
        let mut seen_moves = None;
        poll_fn(|cx| {
            if let Poll::Ready(output) = self.poll(cx, future.as_mut(), &mut seen_moves) {
                return Poll::Ready(output);
            }
            stuck.as_mut().poll(cx).map(|()| Err(TransportError(self.stuck().into())))
        })
        .await
    }

    /// What to say of a world in which nothing happens.
    fn stuck(&self) -> String {
        let mut text = "nothing has happened for a while: the invocation waits for something that \
                        nobody brings, for time with a manual clock, or has failed too often"
            .to_owned();
        for (invocation, failure) in &self.lock().failures {
            text.push_str(&format!("\n{invocation} failed last with: {failure}"));
        }
        text
    }

    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        mut future: std::pin::Pin<&mut impl Future<Output = T>>,
        seen_moves: &mut Option<u64>,
    ) -> Poll<Result<T, TransportError>> {
        self.lock().wakers.add(cx.waker());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            // The future has proposed something, perhaps.
            let mut world = self.lock();
            let is_executing = world.drive();
            if let Some(mistake) = world.mistakes.values().next() {
                return Poll::Ready(Err(TransportError(mistake.clone().into())));
            }
            drop(world);
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            if is_executing || self.is_manual {
                return Poll::Pending;
            }
            let mut world = self.lock();
            // Whoever else takes part in the test goes first: time jumps when nobody has anything.
            if seen_moves.replace(world.moves) != Some(world.moves) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !world.jump(u64::MAX) {
                return Poll::Pending;
            }
        }
    }
}

/// Real time in which nothing happens before a test is told so.
const STUCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Requests that never leave the process.
struct InProcess(Shared);

impl Transport for InProcess {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            match self.0.as_send(&request)? {
                None => self.0.exchange(&request).await,
                Some(send) => self.0.call(send).await,
            }
        })
    }
}

/// A call, as a send that can be repeated.
struct Send {
    request: Request<Bytes>,
    /// Whether the same request may have been accepted for somebody else.
    is_workflow_run: bool,
}

impl Shared {
    /// Sends, then waits for the answer: so the client of a call survives a crash of the runtime.
    async fn call(&self, send: Send) -> Result<Response<Bytes>, TransportError> {
        let sent = self.exchange(&send.request).await?;
        if !sent.status().is_success() {
            return Ok(sent);
        }
        let accepted: serde_json::Value = serde_json::from_slice(sent.body()).map_err(boxed)?;
        if send.is_workflow_run && accepted["status"] == "PreviouslyAccepted" {
            let body = r#"{"message":"the workflow method was already invoked"}"#;
            return Response::builder()
                .status(StatusCode::CONFLICT)
                .body(Bytes::from_static(body.as_bytes()))
                .map_err(boxed);
        }
        let id = accepted["invocationId"].as_str().unwrap_or_default();
        let attach = format!("{BASE}/restate/invocation/{id}/attach");
        self.exchange(&Request::get(attach).body(Bytes::new()).map_err(boxed)?).await
    }

    /// The request as a send, if it is a call.
    fn as_send(&self, request: &Request<Bytes>) -> Result<Option<Send>, TransportError> {
        let path = request.uri().path();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let is_call = request.method() == Method::POST
            && segments.first() != Some(&"restate")
            && segments.last() != Some(&"send");
        let (Some(service), Some(handler), true) = (segments.first(), segments.last(), is_call)
        else {
            return Ok(None);
        };
        let mut world = self.lock();
        let registry = world.registry.snapshot();
        let kind = registry
            .service(service)
            .and_then(|service| service.handler(handler))
            .map(|handler| handler.facts.handler_kind);
        let is_workflow_run = kind == Some(HandlerKind::Workflow);
        let mut request = request.clone();
        *request.uri_mut() = format!("{BASE}{path}/send").parse().map_err(boxed)?;
        let headers = request.headers_mut();
        if !is_workflow_run && !headers.contains_key(IDEMPOTENCY_KEY) {
            world.calls += 1;
            let key = format!("abide-test-{}", world.calls);
            headers.insert(IDEMPOTENCY_KEY, key.parse().map_err(boxed)?);
        }
        Ok(Some(Send { request, is_workflow_run }))
    }

    /// Sends until the runtime is there to answer.
    async fn exchange(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        loop {
            let ingress = self.lock().ingress();
            let answering = runtime_ingress::answer(&ingress, request.clone().map(Full::new));
            let (head, body) = self.drive(answering).await?.into_parts();
            if head.status != StatusCode::SERVICE_UNAVAILABLE {
                let body = body.collect().await.map_err(boxed)?.to_bytes();
                return Ok(Response::from_parts(head, body));
            }
        }
    }
}

/// An address that nobody looks up.
const BASE: &str = "http://abide.test";
const IDEMPOTENCY_KEY: &str = "idempotency-key";

fn boxed(
    error: impl Into<Box<dyn std::error::Error + std::marker::Send + Sync>>,
) -> TransportError {
    TransportError(error.into())
}
