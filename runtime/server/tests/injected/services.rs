//! The services under test: an endpoint on our own SDK, in the test's process or in one of its own.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use abide_sdk::prelude::*;
use anyhow::Result as Outcome;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// State shared by handlers and the test, by names that the test chooses.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    words: Arc<Mutex<HashMap<String, String>>>,
    moments: Arc<Mutex<HashMap<String, Vec<Instant>>>>,
    /// Prefix of the gates that are open.
    open: watch::Sender<String>,
}

impl Told {
    pub(crate) fn new() -> Self {
        let (words, moments) = Default::default();
        Self { words, moments, open: watch::Sender::new("none".to_owned()) }
    }

    fn say(&self, name: &str, what: String) {
        self.words.lock().unwrap().insert(name.to_owned(), what);
    }

    /// The text that a handler has left under this name.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.words.lock().unwrap().get(name).cloned()
    }

    fn mark(&self, name: &str) {
        self.moments.lock().unwrap().entry(name.to_owned()).or_default().push(Instant::now());
    }

    /// The times at which a handler marked this name.
    pub(crate) fn moments(&self, name: &str) -> Vec<Instant> {
        self.moments.lock().unwrap().get(name).cloned().unwrap_or_default()
    }

    /// Opens the gates whose names have this prefix.
    pub(crate) fn open(&self, prefix: &str) {
        self.open.send_replace(prefix.to_owned());
    }
}

/// Waits for the test.
struct Waiter(Told);

#[service]
impl Waiter {
    /// Waits for an awakeable and returns the digest of its value.
    pub async fn wait(&self, ctx: &Context, name: String) -> Result<String> {
        let (id, value) = ctx.awakeable::<Raw>();
        self.0.say(&name, id);
        let Raw(bytes) = value.await?;
        Ok(digest(&bytes))
    }

    /// Waits at a gate, in the middle of a step.
    pub async fn gate(&self, ctx: &Context, name: String) -> Result<u64> {
        let run = ctx.run("gate", async || {
            self.0.say(&name, "waits".to_owned());
            let mut open = self.0.open.subscribe();
            // The sender lives as long as the test.
            let _ = open.wait_for(|prefix| name.starts_with(prefix.as_str())).await;
            Ok(1)
        });
        let first: u64 = run.await?;
        let second: u64 = ctx.run("behind", async || Ok(1)).await?;
        Ok(first + second)
    }
}

const COUNT: State<u64> = State::new("count");

/// Counts the calls to `add`, per key.
struct Tally;

#[object]
impl Tally {
    pub async fn add(&self, ctx: &ObjectContext, _body: Raw) -> Result<u64> {
        let count = COUNT.get(ctx).await?.unwrap_or(0) + 1;
        COUNT.set(ctx, count);
        Ok(count)
    }

    pub async fn total(&self, ctx: &SharedObjectContext) -> Result<u64> {
        Ok(COUNT.get(ctx).await?.unwrap_or(0))
    }
}

/// Records when its handlers run.
struct Timer(Told);

#[service]
impl Timer {
    /// Marks when it runs.
    pub async fn mark(&self, _ctx: &Context, name: String) -> Result<()> {
        self.0.mark(&name);
        Ok(())
    }

    /// Fails once, and marks each attempt. The second should come after this many milliseconds.
    pub async fn again(&self, ctx: &Context, asked: (String, u64)) -> Result<()> {
        let (name, delay_ms) = asked;
        let run = ctx.run("again", async || {
            self.0.mark(&name);
            if self.0.moments(&name).len() < 2 {
                return Err(std::io::Error::other("once").into());
            }
            Ok(())
        });
        Ok(run.retry(Retry::fixed(Duration::from_millis(delay_ms))).await?)
    }
}

/// Sleeps by the clock of its own process.
struct Here;
/// The same under another name, in a process that shares the node's clock.
struct There;

#[service]
impl Here {
    pub async fn sleep(&self, ctx: &Context, sleep_ms: u64) -> Result<()> {
        Ok(ctx.sleep(Duration::from_millis(sleep_ms)).await?)
    }
}

#[service]
impl There {
    pub async fn sleep(&self, ctx: &Context, sleep_ms: u64) -> Result<()> {
        Ok(ctx.sleep(Duration::from_millis(sleep_ms)).await?)
    }
}

/// A digest of bytes, with their length.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("{}-{:016x}", bytes.len(), hasher.finish())
}

/// Serves everything but [`There`] from this process, and returns the address.
pub(crate) async fn serve(told: &Told) -> Outcome<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let uri = format!("http://{}", listener.local_addr()?);
    let (waiter, timer) = (Waiter(told.clone()), Timer(told.clone()));
    let endpoint = Endpoint::new().bind(waiter).bind(timer).bind(Tally).bind(Here);
    tokio::spawn(endpoint.serve_listener(listener, std::future::pending()));
    Ok(uri)
}

/// Serves [`There`] in a process of its own, which the clock test starts with a shim preloaded.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it is a process of clock::sleeps_and_delays_keep_their_time_whatever_the_clock_shows"]
async fn there() {
    let bind: SocketAddr = std::env::var("FAULTS_BIND").unwrap().parse().unwrap();
    Endpoint::new().bind(There).serve(bind).await.unwrap();
}
