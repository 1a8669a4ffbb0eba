//! A server under attack, a healthy service on it, and an innocent client of that service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use abide_sdk::prelude::*;
use bytes::Bytes;
use e2e_client::Server;
use e2e_harness::process::Process;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
    task::JoinHandle,
};

use crate::support::{memory_bytes_of, serve_endpoint, start_under};

/// The memory budget, plus what the rest of a node may take, in bytes.
const RSS_MAX: u64 = (512 + 300) << 20;

/// What a node may take after ten seconds and a checkpoint to recover, in bytes.
const RSS_AFTER_MAX: u64 = 300 << 20;
const AFTER: Duration = Duration::from_secs(11);

/// The longest that the innocent client may wait in a run at full size.
const WAIT_MAX: Duration = Duration::from_secs(1);

struct Healthy;

#[service]
impl Healthy {
    pub async fn greet(&self, _ctx: &Context, name: String) -> Result<String> {
        Ok(format!("hello {name}"))
    }

    /// Accepts any bytes.
    pub async fn take(&self, _ctx: &Context, bytes: Raw) -> Result<u64> {
        Ok(bytes.0.len() as u64)
    }

    /// Returns this many bytes.
    pub async fn give(&self, _ctx: &Context, bytes: u64) -> Result<Raw> {
        Ok(Raw(Bytes::from(vec![7; usize::try_from(bytes).unwrap_or_default()])))
    }
}

pub(crate) struct Site {
    abide: Process,
    pub(crate) server: Server,
    /// `host:port` of the ingress.
    pub(crate) ingress: String,
    _dir: tempfile::TempDir,
    /// The healthy service and the innocent client have threads of their own, so that load on the
    /// attackers' threads does not affect the measurement.
    innocents: Option<Runtime>,
    watch: Arc<Watch>,
    watching: JoinHandle<()>,
}

#[derive(Default)]
struct Watch {
    is_over: AtomicBool,
    calls: AtomicU64,
    longest_ms: AtomicU64,
}

impl Site {
    /// Starts a server with at most this many open files. An innocent client calls it from now on.
    pub(crate) async fn start(files_max: Option<u64>) -> Self {
        Self::start_as(files_max, "").await
    }

    /// The same with settings, as TOML text.
    pub(crate) async fn start_as(files_max: Option<u64>, settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("abide.toml");
        std::fs::write(&config, settings).unwrap();
        let config = format!("--config={}", config.display());
        let (abide, server) = start_under(&dir.path().join("data"), files_max, &[&config]).await;
        let innocents = Runtime::new().unwrap();
        let serving = server.clone();
        let healthy = async move { serve_endpoint(&serving, Endpoint::new().bind(Healthy)).await };
        innocents.spawn(healthy).await.unwrap();
        let ingress = server.ingress.trim_start_matches("http://").to_owned();
        let watch = Arc::new(Watch::default());
        Self {
            watching: innocents.spawn(look(Arc::clone(&watch), ingress.clone())),
            abide,
            server,
            ingress,
            _dir: dir,
            innocents: Some(innocents),
            watch,
        }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.ingress).await.unwrap()
    }

    /// Sends a request, or the part of it that is given.
    pub(crate) async fn ask(&self, request: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// How many calls of the innocent client have been served so far.
    pub(crate) fn innocent_calls(&self) -> u64 {
        self.watch.calls.load(Ordering::Relaxed)
    }

    /// Waits until the innocent client has been served again.
    pub(crate) async fn until_innocent_is_served(&self) {
        let before = self.innocent_calls();
        while self.innocent_calls() < before + 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends the attack and reports what it cost. The innocent client continues until the end.
    pub(crate) async fn report(mut self, name: &str, attack: &str) {
        self.until_innocent_is_served().await;
        let is_full = crate::size("FULL", 0) == 1;
        if is_full {
            tokio::time::sleep(AFTER).await;
        }
        let (left_bytes, rss_bytes) = memory_bytes_of(self.abide.pid());
        self.watch.is_over.store(true, Ordering::Relaxed);
        (&mut self.watching).await.unwrap();
        let longest = Duration::from_millis(self.watch.longest_ms.load(Ordering::Relaxed));
        let calls = self.watch.calls.load(Ordering::Relaxed);
        println!(
            "{name}: {attack}; RSS {} MB at most, {} at the end; {calls} innocent calls, the longest \
             {} ms",
            rss_bytes >> 20,
            left_bytes >> 20,
            longest.as_millis()
        );
        assert!(rss_bytes <= RSS_MAX, "{name}: {} MB", rss_bytes >> 20);
        if is_full {
            assert!(longest <= WAIT_MAX, "{name}: an innocent client has waited {longest:?}");
            assert!(left_bytes <= RSS_AFTER_MAX, "{name}: {} MB are left", left_bytes >> 20);
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(innocents) = self.innocents.take() {
            innocents.shutdown_background();
        }
    }
}

/// Calls the healthy service, each time on a new connection.
async fn look(watch: Arc<Watch>, ingress: String) {
    let request = format!(
        "POST /Healthy/greet HTTP/1.1\r\nhost: {ingress}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: 5\r\n\r\n\"you\""
    );
    while !watch.is_over.load(Ordering::Relaxed) {
        let started = Instant::now();
        let is_served = call(&ingress, &request).await.unwrap_or(false);
        let waited_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if is_served {
            watch.calls.fetch_add(1, Ordering::Relaxed);
            watch.longest_ms.fetch_max(waited_ms, Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn call(ingress: &str, request: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(ingress).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}
