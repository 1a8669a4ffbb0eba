//! The interface for tests.

use std::future::{Future, poll_fn};
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Wake, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use abide_sdk::{Clock, Definition, Endpoint, Ingress, Transport, TransportError};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use protocol::{
    HandlerKind, ProtocolVersion,
    surface::{header::IDEMPOTENCY_KEY, path},
};
use runtime_embedded::VirtualClock;

use crate::{
    chaos::Chaos,
    journal,
    test_node::{TestNode, Wakers},
};

/// A runtime that has not been started yet: its services, and the faults to inject.
pub struct TestRuntime {
    endpoint: Endpoint,
    clock: Arc<VirtualClock>,
    chaos: Chaos,
    version: ProtocolVersion,
    partitions: usize,
    is_manual: bool,
}

/// A running in-process runtime. It dereferences to an [`Ingress`], so typed clients take a
/// reference to it.
#[derive(Clone)]
pub struct Running {
    ingress: Ingress,
    shared: Shared,
}

#[derive(Clone)]
struct Shared {
    test_node: Arc<Mutex<TestNode>>,
    /// The tasks that wait for access to the world, such as a client within a handler that the
    /// world is polling.
    queue: Arc<Wakers>,
    is_manual: bool,
}

struct HandlerClock(Arc<VirtualClock>);

impl Clock for HandlerClock {
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
    /// A runtime without services and faults, with two partitions.
    pub fn new() -> Self {
        let clock = Arc::new(VirtualClock::default());
        let endpoint = Endpoint::new().clock(Arc::new(HandlerClock(Arc::clone(&clock))));
        Self {
            endpoint,
            clock,
            chaos: Chaos::default(),
            version: ProtocolVersion::MAX,
            partitions: 2,
            is_manual: false,
        }
    }

    /// Adds a service, virtual object, or workflow.
    #[must_use]
    pub fn bind<D: Definition>(mut self, definition: D) -> Self {
        self.endpoint = self.endpoint.bind(definition);
        self
    }

    /// Cuts every attempt as soon as its journal has grown, so that each step is replayed from
    /// every prefix of the journal. A handler that is not deterministic is reported, with the
    /// source line.
    #[must_use]
    pub fn replay_every_step(mut self) -> Self {
        self.chaos.cut_always = true;
        self.chaos.suspend_always = true;
        self
    }

    /// Suspends handlers at every wait, instead of after a minute.
    #[must_use]
    pub fn suspend_always(mut self) -> Self {
        self.chaos.suspend_always = true;
        self
    }

    /// Breaks the connection of the n-th attempt overall, counting from 1, before it has sent
    /// anything.
    #[must_use]
    pub fn fail_attempt(mut self, n: u64) -> Self {
        self.chaos.failing_attempts.insert(n);
        self
    }

    /// Breaks the connection of each invocation once, when its journal has `n` commands; the first
    /// one is its input.
    #[must_use]
    pub fn cut_after_command(mut self, n: u32) -> Self {
        self.chaos.cut_after.insert(n);
        self
    }

    /// Crashes the runtime instead of writing to its log for the n-th time, counting from 1, and
    /// restarts it: whatever was not written by then is lost.
    #[must_use]
    pub fn crash_at_write(mut self, n: u64) -> Self {
        self.chaos.crashes.insert(n);
        self
    }

    /// Sets the newest service protocol that the runtime speaks, 5 to 7.
    ///
    /// # Panics
    /// Panics if there is no such version.
    #[must_use]
    pub fn protocol(mut self, version: u32) -> Self {
        match ProtocolVersion::try_from(version) {
            Ok(version) => self.version = version,
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// Sets the number of partitions over which keys are spread, at least 1.
    #[must_use]
    pub fn partitions(mut self, partitions: u16) -> Self {
        self.partitions = usize::from(partitions.max(1));
        self
    }

    /// Lets time pass only with [`Running::advance`]. By default, time jumps to the next timer
    /// whenever a client waits for a response and nothing else is left to do.
    #[must_use]
    pub fn manual_clock(mut self) -> Self {
        self.is_manual = true;
        self
    }

    /// Starts the runtime.
    ///
    /// # Panics
    /// Panics if the services do not form a valid manifest: for example, a name is reserved or used
    /// twice.
    pub fn start(self) -> Running {
        let Self { endpoint, clock, chaos, version, partitions, is_manual } = self;
        let test_node = TestNode::new(endpoint, clock, chaos, version, partitions, 1);
        let test_node = test_node.unwrap_or_else(|error| panic!("{error}"));
        let test_node = Arc::new(Mutex::new(test_node));
        let shared = Shared { test_node, queue: Arc::default(), is_manual };
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
    /// The current virtual time.
    pub fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.shared.lock().clock.now_ms())
    }

    /// Advances the clock by this duration, and runs whatever becomes due in the meantime, in
    /// order.
    pub async fn advance(&self, by: Duration) {
        let by_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let until_ms = self.shared.lock().clock.now_ms().saturating_add(by_ms);
        poll_fn(|cx| {
            loop {
                if ready!(self.shared.poll_world(cx)) {
                    return Poll::Pending;
                }
                let mut test_node = ready!(self.shared.poll_lock(cx));
                if !test_node.jump(until_ms) {
                    // Everything that is due by then has happened.
                    test_node.pass_until(until_ms);
                    return Poll::Ready(());
                }
            }
        })
        .await;
    }

    /// Runs everything that can happen without time passing.
    pub async fn settle(&self) {
        self.advance(Duration::ZERO).await;
    }

    /// Crashes the runtime, which loses whatever was not written, and restarts it.
    pub fn crash(&self) {
        self.shared.lock().crash();
    }

    /// The journal of an invocation, one line per entry, to be reviewed or compared.
    pub fn journal(&self, invocation_id: &str) -> Vec<String> {
        journal::lines(self.shared.lock().node(), invocation_id)
    }

    /// Mistakes in handlers' code that have been found so far, such as a replay that differs.
    pub fn mistakes(&self) -> Vec<String> {
        self.shared.lock().mistakes.values().cloned().collect()
    }
}

/// Exclusive access to the world. On drop, the tasks that wait for it are woken.
struct Moving<'s> {
    test_node: Option<MutexGuard<'s, TestNode>>,
    /// `None` if no task need be woken.
    queue: Option<&'s Arc<Wakers>>,
}

impl Deref for Moving<'_> {
    type Target = TestNode;

    fn deref(&self) -> &TestNode {
        // INVARIANT: the guard is only taken on drop.
        #[expect(clippy::expect_used, reason = "see above")]
        self.test_node.as_deref().expect("a world")
    }
}

impl DerefMut for Moving<'_> {
    fn deref_mut(&mut self) -> &mut TestNode {
        #[expect(clippy::expect_used, reason = "see above")]
        self.test_node.as_deref_mut().expect("a world")
    }
}

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        self.test_node = None;
        if let Some(queue) = self.queue {
            Arc::clone(queue).wake();
        }
    }
}

impl Shared {
    /// Runs everything until no more progress is possible; true if a closure is being executed, so
    /// that real time must pass.
    fn poll_world(&self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            let mut test_node = ready!(self.poll_lock(cx));
            test_node.wakers.add(cx.waker());
            if test_node.is_stepping {
                // Another task is polling the attempts, perhaps the one that polls this future.
                self.queue.add(cx.waker());
                test_node.queue = None;
                return Poll::Pending;
            }
            let mut has_moved = test_node.turn();
            let mut step = test_node.begin_step();
            drop(test_node);
            let said = step.poll();
            let mut test_node = self.lock();
            has_moved |= test_node.end_step(step, said);
            if !has_moved {
                return Poll::Ready(test_node.is_executing());
            }
        }
    }

    /// Access to the world, once no other task has it.
    fn poll_lock(&self, cx: &mut Context<'_>) -> Poll<Moving<'_>> {
        self.queue.add(cx.waker());
        let test_node = match self.test_node.try_lock() {
            Ok(test_node) => test_node,
            Err(TryLockError::Poisoned(poison)) => poison.into_inner(),
            Err(TryLockError::WouldBlock) => return Poll::Pending,
        };
        self.queue.remove(cx.waker());
        Poll::Ready(Moving { test_node: Some(test_node), queue: Some(&self.queue) })
    }

    /// Access to the world, for callers that do not have it already.
    fn lock(&self) -> Moving<'_> {
        let test_node = self.test_node.lock().unwrap_or_else(PoisonError::into_inner);
        Moving { test_node: Some(test_node), queue: Some(&self.queue) }
    }

    /// Runs the world until a future that depends on it completes.
    async fn drive<T>(&self, future: impl Future<Output = T>) -> Result<T, TransportError> {
        let mut future = pin!(future);
        let mut stuck = pin!(tokio::time::sleep(STUCK_TIMEOUT));
        let mut seen_moves = None;
        poll_fn(|cx| {
            let before = seen_moves;
            if let Poll::Ready(output) = self.poll(cx, future.as_mut(), &mut seen_moves) {
                return Poll::Ready(output);
            }
            if seen_moves != before {
                stuck.as_mut().reset(tokio::time::Instant::now() + STUCK_TIMEOUT);
            }
            stuck.as_mut().poll(cx).map(|()| Err(TransportError(self.stuck().into())))
        })
        .await
    }

    /// The error message when nothing happens any more.
    fn stuck(&self) -> String {
        let mut text = "no progress for a while: the invocation waits for something that never \
                        happens, for a manual clock to advance, or has failed too often"
            .to_owned();
        if let Ok(test_node) = self.test_node.try_lock() {
            for (invocation, failure) in &test_node.failures {
                text.push_str(&format!("\n{invocation} last failed with: {failure}"));
            }
        }
        text
    }

    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        mut future: std::pin::Pin<&mut impl Future<Output = T>>,
        seen_moves: &mut Option<u64>,
    ) -> Poll<Result<T, TransportError>> {
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            // The future may have proposed something.
            let is_executing = ready!(self.poll_world(cx));
            let test_node = ready!(self.poll_lock(cx));
            if let Some(mistake) = test_node.mistakes.values().next() {
                return Poll::Ready(Err(TransportError(mistake.clone().into())));
            }
            let moves = test_node.moves;
            drop(test_node);
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            // The other tasks of the test go first: time jumps only when none of them makes
            // progress.
            let is_fresh = seen_moves.replace(moves) != Some(moves);
            if is_executing || self.is_manual {
                return Poll::Pending;
            }
            if is_fresh {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !ready!(self.poll_lock(cx)).jump(u64::MAX) {
                return Poll::Pending;
            }
        }
    }
}

/// Real time without progress after which a test fails.
const STUCK_TIMEOUT: Duration = Duration::from_secs(5);

/// A transport whose requests never leave the process.
struct InProcess(Shared);

impl Transport for InProcess {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let send = poll_fn(|cx| {
                self.0.poll_lock(cx).map(|mut test_node| as_send(&mut test_node, &request))
            });
            match send.await? {
                None => self.0.exchange(&request).await,
                Some(send) => self.0.call(send).await,
            }
        })
    }
}

/// A call turned into a send, which can be repeated.
struct Send {
    request: Request<Bytes>,
    /// Whether this is a workflow's `run`, which may have been accepted for another client already.
    is_workflow_run: bool,
}

impl Shared {
    /// Sends, then attaches to the result, so that a client's call survives a crash of the runtime.
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
        let attach = format!("{BASE}/{}/{}/{id}/{}", path::RESTATE, path::INVOCATION, path::ATTACH);
        self.exchange(&Request::get(attach).body(Bytes::new()).map_err(boxed)?).await
    }

    /// Sends until the runtime is available to respond.
    async fn exchange(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        loop {
            let ingress =
                poll_fn(|cx| self.poll_lock(cx).map(|mut test_node| test_node.ingress())).await;
            let answering = runtime_ingress::answer(&ingress, request.clone().map(Full::new));
            let (head, body) = self.drive(answering).await?.into_parts();
            if head.status != StatusCode::SERVICE_UNAVAILABLE {
                let body = body.collect().await.map_err(boxed)?.to_bytes();
                return Ok(Response::from_parts(head, body));
            }
        }
    }
}

/// The request turned into a send, if it is a call.
fn as_send(
    test_node: &mut TestNode,
    request: &Request<Bytes>,
) -> Result<Option<Send>, TransportError> {
    let path = request.uri().path();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let is_call = request.method() == Method::POST
        && segments.first() != Some(&path::RESTATE)
        && segments.last() != Some(&path::SEND);
    let (Some(service), Some(handler), true) = (segments.first(), segments.last(), is_call) else {
        return Ok(None);
    };
    let registry = test_node.registry.snapshot();
    let kind = registry
        .service(service)
        .and_then(|service| service.handler(handler))
        .map(|handler| handler.facts.handler_kind);
    let is_workflow_run = kind == Some(HandlerKind::Workflow);
    let mut request = request.clone();
    *request.uri_mut() = format!("{BASE}{path}/{}", path::SEND).parse().map_err(boxed)?;
    let headers = request.headers_mut();
    if !is_workflow_run && !headers.contains_key(IDEMPOTENCY_KEY) {
        test_node.calls += 1;
        let key = format!("abide-test-{}", test_node.calls);
        headers.insert(IDEMPOTENCY_KEY, key.parse().map_err(boxed)?);
    }
    Ok(Some(Send { request, is_workflow_run }))
}

/// A base address, which is never resolved.
const BASE: &str = "http://abide.test";

fn boxed(
    error: impl Into<Box<dyn std::error::Error + std::marker::Send + Sync>>,
) -> TransportError {
    TransportError(error.into())
}
