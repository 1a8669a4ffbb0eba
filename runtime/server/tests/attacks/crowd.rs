//! Many attempts at once: on a service that hangs, on a host that is gone, and with more output
//! than fits in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use abide_sdk::prelude::*;
use bytes::Bytes;
use e2e_client::Server;
use futures::{StreamExt, future::join_all, stream};
use serde_json::{Value, json};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::Semaphore,
    time::timeout,
};

use crate::{
    messages::EVIL,
    site::Site,
    size,
    support::{Hog, raw::registration, serve_endpoint},
};

/// Concurrent requests of this test.
const AT_ONCE: usize = 64;
/// Larger than the messages that are not counted against the budget (64 KiB).
const RESULT_BYTES: usize = 70_000;
/// Time until new work has been checkpointed and waiting attempts have been asked to yield their
/// permits.
const SETTLED: Duration = Duration::from_secs(30);
/// A host that is up accepts a connection sooner than this.
const CONNECT: Duration = Duration::from_millis(300);

/// Its attempts all send a large result at once.
struct Loud {
    entered: Arc<Semaphore>,
    may_speak: Arc<Semaphore>,
    ended: Arc<Semaphore>,
}

#[service]
impl Loud {
    pub async fn speak(&self, ctx: &Context) -> Result<()> {
        let speak = || async {
            self.entered.add_permits(1);
            let _ = self.may_speak.acquire().await;
            Ok(Raw(Bytes::from(vec![7; RESULT_BYTES])))
        };
        ctx.run("speak", speak).await?;
        self.ended.add_permits(1);
        Ok(())
    }
}

/// Sends the same call this many times.
pub(crate) async fn send_all(server: &Server, path: &str, body: &Value, count: usize) {
    let sends = (0..count).map(|_| async { server.send_to(path, body.clone()).await.unwrap() });
    stream::iter(sends).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
}

/// The 99th percentile of the duration of calls.
async fn p99(server: &Server, calls: usize) -> Duration {
    let callers = (0..4).map(|_| async {
        let mut took = Vec::new();
        for _ in 0..calls / 4 {
            let begun = Instant::now();
            server.call("/Healthy/greet", json!("you")).await.unwrap();
            took.push(begun.elapsed());
        }
        took
    });
    let mut took: Vec<_> = join_all(callers).await.into_iter().flatten().collect();
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

/// Registers an endpoint whose host from then on accepts no connection. Returns the connections
/// that fill its queue.
async fn gone(server: &Server) -> Vec<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let body = registration(&listener);
    let (registered, described) = tokio::join!(server.register(&body), EVIL.discovered(&listener));
    registered.unwrap().ok().unwrap();
    described.unwrap();
    // The first connections wait in the listener's queue. Once it is full, connection attempts get
    // no response at all.
    let mut queue = Vec::new();
    while let Ok(stream) = timeout(CONNECT, TcpStream::connect(address)).await {
        queue.push(stream.unwrap());
    }
    tokio::spawn(async move {
        let _listener = listener;
        std::future::pending::<()>().await;
    });
    queue
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_hangs_and_a_host_that_is_gone_cost_others_little() {
    let site = Site::start(None).await;
    let (calls, hanging) = (size("CALLS", 200), size("HANGING", 300));
    let before = p99(&site.server, calls).await;
    let entered = Arc::new(Semaphore::new(0));
    serve_endpoint(&site.server, Endpoint::new().bind(Hog { entered: Arc::clone(&entered) })).await;
    let _queue = gone(&site.server).await;
    send_all(&site.server, "/Evil/call", &Value::Null, hanging / 100).await;
    send_all(&site.server, "/Hog/hang", &Value::Null, hanging).await;
    // At most four fifths of its deployment's permits, which are four fifths of all.
    let places = u32::try_from(hanging.min(6400)).unwrap();
    let _all = entered.acquire_many(places).await.unwrap();
    if size("FULL", 0) == 1 {
        // The comparison leaves out the burst of arrivals and its checkpoints.
        tokio::time::sleep(SETTLED).await;
    }
    let beside = p99(&site.server, calls).await;
    let what = format!(
        "{hanging} calls that hang and a host that is gone; p99 of {calls} healthy calls {:.1} ms \
         before and {:.1} ms beside them",
        before.as_secs_f64() * 1e3,
        beside.as_secs_f64() * 1e3
    );
    if size("FULL", 0) == 1 {
        assert!(beside <= 2 * before, "{what}");
    }
    site.report("fairness", &what).await;
}

/// Invocations that have started, and send their results on demand.
pub(crate) struct Crowd {
    count: u32,
    may_speak: Arc<Semaphore>,
    ended: Arc<Semaphore>,
}

impl Crowd {
    pub(crate) async fn gather(server: &Server, count: usize) -> Self {
        let loud = Loud {
            entered: Arc::new(Semaphore::new(0)),
            may_speak: Arc::new(Semaphore::new(0)),
            ended: Arc::new(Semaphore::new(0)),
        };
        let (entered, may_speak, ended) =
            (Arc::clone(&loud.entered), Arc::clone(&loud.may_speak), Arc::clone(&loud.ended));
        serve_endpoint(server, Endpoint::new().bind(loud)).await;
        send_all(server, "/Loud/speak", &Value::Null, count).await;
        let count = u32::try_from(count).unwrap();
        let _entered = entered.acquire_many(count).await.unwrap();
        Self { count, may_speak, ended }
    }

    /// Lets all of them send at once. Returns when all have ended.
    pub(crate) async fn speak(&self) {
        self.may_speak.add_permits(self.count as usize);
        let _ended = self.ended.acquire_many(self.count).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_budget_drains() {
    let count = size("RUNNING", 600);
    // A single service gets sixteen twenty-fifths of the permits. The results do not fit into their
    // share of the budget.
    let places = format!("attempts-max = {}\n", count * 25 / 16 + 20);
    let budget = if size("FULL", 0) == 1 { "" } else { "memory-budget-bytes = 268435456\n" };
    let site = Site::start_as(None, &format!("{places}{budget}")).await;
    Crowd::gather(&site.server, count).await.speak().await;
    let what = format!("{count} running invocations that say {RESULT_BYTES} bytes each at once");
    site.report("budget", &what).await;
}
