//! Events of a few bytes that bring large rows: results and promises that many wait for, and state
//! that many read.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use abide_sdk::{Durable, prelude::*};
use bytes::Bytes;
use protocol::{ProtocolVersion, discovery::ServiceType, journal::Command, wire::command};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::{
        Semaphore,
        mpsc::{self, UnboundedReceiver, UnboundedSender},
    },
    time::{sleep, timeout},
};

use crate::{
    crowd::send_all,
    readers::LARGE_BYTES,
    site::Site,
    size,
    support::{
        raw::{RawService, head_of, speak},
        serve_endpoint,
    },
};

/// By then an attempt that is impatient has given up.
const GIVES_UP: Duration = Duration::from_millis(50);
/// Long enough for all of them to be under way at once.
const READS_NOTHING: Duration = Duration::from_secs(2);
/// How often each of them is tried on average, if there is time for that.
const TRIES: usize = 3;
const TRYING_MAX: Duration = Duration::from_secs(60);

fn large() -> Raw {
    Raw(Bytes::from(vec![7; LARGE_BYTES]))
}

/// What the handlers of a test have in common.
#[derive(Clone)]
struct Desk {
    /// Gets a permit for each handler that waits.
    waiting: Arc<Semaphore>,
    may_give: Arc<Semaphore>,
    /// The lengths of what the handlers got.
    lengths: UnboundedSender<usize>,
}

impl Desk {
    fn open() -> (Self, UnboundedReceiver<usize>) {
        let (lengths, got) = mpsc::unbounded_channel();
        let [waiting, may_give] = [0, 0].map(|permits| Arc::new(Semaphore::new(permits)));
        (Self { waiting, may_give, lengths }, got)
    }

    /// Waits in a handler for what it has asked for. Returns the length.
    async fn wait(&self, asked: Durable<'_, Raw>) -> Result<usize> {
        self.waiting.add_permits(1);
        Ok(self.got(&asked.await?))
    }

    /// Notes what a handler got. Returns the length.
    fn got(&self, bytes: &Raw) -> usize {
        let length = bytes.0.len();
        let _ = self.lengths.send(length);
        length
    }

    async fn until_waiting(&self, count: usize) {
        let _all = self.waiting.acquire_many(u32::try_from(count).unwrap()).await.unwrap();
    }
}

/// Waits until this many handlers have got all of the bytes.
async fn all_got(lengths: &mut UnboundedReceiver<usize>, count: usize) {
    for _ in 0..count {
        assert_eq!(lengths.recv().await, Some(LARGE_BYTES));
    }
}

/// Its handlers wait for the result of another invocation.
struct Attached(Desk);

#[service]
impl Attached {
    pub async fn wait(&self, ctx: &Context, id: String) -> Result<usize> {
        self.0.wait(ctx.invocation(id).attach()).await
    }

    /// Returns a large result once it may.
    pub async fn give(&self, _ctx: &Context) -> Result<Raw> {
        let _ = self.0.may_give.acquire().await;
        Ok(large())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attaching_to_a_large_result() {
    let site = Site::start(None).await;
    let count = size("ROWS", 6);
    let (desk, mut lengths) = Desk::open();
    serve_endpoint(&site.server, Endpoint::new().bind(Attached(desk))).await;
    let key = [("idempotency-key", "one")];
    let given = site.server.post_with("/Healthy/give", &json!(LARGE_BYTES), &key).await.unwrap();
    let id = given.invocation().unwrap();
    send_all(&site.server, "/Attached/wait", &json!(id), count).await;
    all_got(&mut lengths, count).await;
    site.report("attaching", &format!("{count} handlers attach to a result of 30 MB")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiters_of_a_large_result() {
    let site = Site::start(None).await;
    let count = size("ROWS", 6);
    let (desk, mut lengths) = Desk::open();
    serve_endpoint(&site.server, Endpoint::new().bind(Attached(desk.clone()))).await;
    let id = site.server.send_to("/Attached/give", Value::Null).await.unwrap();
    send_all(&site.server, "/Attached/wait", &json!(id), count).await;
    desk.until_waiting(count).await;
    site.until_innocent_is_served().await;
    desk.may_give.add_permits(1);
    all_got(&mut lengths, count).await;
    site.report("waiters", &format!("{count} handlers wait for a result of 30 MB")).await;
}

const VALUE: State<Raw> = State::new("value");

struct Large(Desk);

#[object]
impl Large {
    pub async fn set(&self, ctx: &ObjectContext) -> Result<()> {
        VALUE.set(ctx, large());
        Ok(())
    }

    pub async fn look(&self, ctx: &SharedObjectContext) -> Result<usize> {
        Ok(self.0.got(&VALUE.get(ctx).await?.unwrap_or_default()))
    }
}

/// Starts a server whose handlers ask for their state, and sets a large one. Returns the lengths of
/// what is read of it.
async fn start_lazy() -> (Site, UnboundedReceiver<usize>) {
    let site = Site::start_as(None, "lazy-state = true\n").await;
    let (desk, lengths) = Desk::open();
    serve_endpoint(&site.server, Endpoint::new().bind(Large(desk))).await;
    site.server.call("/Large/one/set", Value::Null).await.unwrap();
    (site, lengths)
}

#[tokio::test(flavor = "multi_thread")]
async fn lazy_reads_of_a_large_state() {
    let (site, mut lengths) = start_lazy().await;
    let count = size("ROWS", 6);
    send_all(&site.server, "/Large/one/look", &Value::Null, count).await;
    all_got(&mut lengths, count).await;
    site.report("lazy reads", &format!("{count} handlers read a value of 30 MB")).await;
}

/// Takes the place of [`Large`], whose state it reads.
const IMPATIENT: RawService =
    RawService { ty: ServiceType::VirtualObject, service: "Large", handler: "look" };

/// Asks for the value, and hangs up before it has arrived. Its journal does not grow, since it asks
/// for the same each time: the later attempts get the value with their journal.
async fn give_up(mut stream: TcpStream, after: Duration, tried: Arc<Semaphore>) -> io::Result<()> {
    let read = Command::GetLazyState { key: Bytes::from_static(b"value"), completion: 1 };
    let read = command::encode(&read.into(), ProtocolVersion::V6);
    let mut words = head_of(read.ty, read.body.len());
    words.extend_from_slice(&read.body);
    // Announces more than that.
    speak(&mut stream, words.len() + 1, &words).await?;
    sleep(after).await;
    tried.add_permits(1);
    Ok(())
}

/// Runs this many handlers whose attempts give up after a while, each several times. Returns how
/// often they did.
async fn give_up_all(site: &Site, count: usize, after: Duration) -> usize {
    let tried = Arc::new(Semaphore::new(0));
    let trying = Arc::clone(&tried);
    IMPATIENT.serve(&site.server, move |stream| give_up(stream, after, Arc::clone(&trying))).await;
    send_all(&site.server, "/Large/one/look", &Value::Null, count).await;
    let enough = tried.acquire_many(u32::try_from(count * TRIES).unwrap());
    let _ = timeout(TRYING_MAX, enough).await;
    tried.available_permits()
}

#[tokio::test(flavor = "multi_thread")]
async fn lazy_reads_that_are_given_up() {
    let (site, _lengths) = start_lazy().await;
    let count = size("RESETTING", 8);
    let times = give_up_all(&site, count, GIVES_UP).await;
    let what = format!("{count} handlers read a value of 30 MB and give up, {times} times");
    site.report("given up", &what).await;
}

/// Their endpoint speaks HTTP/1.1, and the journals wait in its connections.
#[tokio::test(flavor = "multi_thread")]
async fn large_journals_that_are_not_read() {
    let (site, _lengths) = start_lazy().await;
    let count = size("ROWS", 6);
    let times = give_up_all(&site, count, READS_NOTHING).await;
    let what = format!("{count} attempts do not read their journals of 30 MB, {times} times");
    site.report("unread journals", &what).await;
}

const PROMISED: Promise<Raw> = Promise::new("promised");

struct Promised(Desk);

#[workflow]
impl Promised {
    pub async fn run(&self, ctx: &WorkflowContext) -> Result<usize> {
        self.0.wait(PROMISED.get(ctx)).await
    }

    pub async fn wait(&self, ctx: &SharedWorkflowContext) -> Result<usize> {
        self.0.wait(PROMISED.get(ctx)).await
    }

    pub async fn keep(&self, ctx: &SharedWorkflowContext) -> Result<()> {
        Ok(PROMISED.resolve(ctx, large()).await?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waiters_of_a_large_promise() {
    let site = Site::start(None).await;
    let count = size("ROWS", 6);
    let (desk, mut lengths) = Desk::open();
    serve_endpoint(&site.server, Endpoint::new().bind(Promised(desk.clone()))).await;
    send_all(&site.server, "/Promised/one/run", &Value::Null, 1).await;
    send_all(&site.server, "/Promised/one/wait", &Value::Null, count).await;
    desk.until_waiting(count + 1).await;
    site.until_innocent_is_served().await;
    site.server.send_to("/Promised/one/keep", Value::Null).await.unwrap();
    all_got(&mut lengths, count + 1).await;
    site.report("promise", &format!("{count} handlers wait for a promise of 30 MB")).await;
}
