//! A closed loop: a fixed number of connections, each of which sends its next request as soon as
//! the last one is answered.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use super::connection::Connection;
use super::request::{RequestTemplate, RequestWriter};

/// Latencies above this are recorded as this value.
const LATENCY_US_MAX: u64 = 600_000_000;
/// How long the last requests of a loop may take before they are abandoned.
const TAIL_LIMIT: Duration = Duration::from_secs(60);
/// Pause of a connection after a failure, so that it does not hammer a dead server.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

/// Active connections: they start when this is created and end with [`ClosedLoop::finish`].
///
/// Must be created inside a `LocalSet`: everything runs on the caller's thread.
pub struct ClosedLoop {
    shared: Rc<Shared>,
    connections: JoinSet<()>,
}

/// The results of the recording period.
#[derive(Clone, Debug)]
pub struct LoadResult {
    /// Requests answered successfully.
    pub completed: u64,
    /// Requests that failed or were never answered.
    pub errors: u64,
    /// Latencies of successful requests, in microseconds.
    pub latencies_us: Histogram<u64>,
}

impl LoadResult {
    /// The given latency quantile of successful requests, in milliseconds.
    pub fn latency_ms(&self, quantile: f64) -> f64 {
        self.latencies_us.value_at_quantile(quantile) as f64 / 1e3
    }
}

struct Shared {
    remaining: Cell<u64>,
    recording: Cell<bool>,
    completed: Cell<u64>,
    errors: Cell<u64>,
    latencies_us: RefCell<Histogram<u64>>,
}

impl ClosedLoop {
    /// Starts `concurrency` connections that together send at most `requests_max` requests.
    pub fn start(
        address: SocketAddr,
        template: &RequestTemplate,
        concurrency: u64,
        requests_max: u64,
    ) -> anyhow::Result<Self> {
        let shared = Rc::new(Shared {
            remaining: Cell::new(requests_max),
            recording: Cell::new(false),
            completed: Cell::new(0),
            errors: Cell::new(0),
            latencies_us: RefCell::new(Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)?),
        });
        let mut connections = JoinSet::new();
        for index in 0..concurrency {
            let writer = RequestWriter::new(template.clone(), index, concurrency);
            connections.spawn_local(run_connection(address, writer, shared.clone()));
        }
        Ok(Self { shared, connections })
    }

    /// Starts counting responses.
    pub fn start_recording(&self) {
        self.shared.recording.set(true);
    }

    /// Stops counting responses.
    pub fn stop_recording(&self) {
        self.shared.recording.set(false);
    }

    /// Waits until all permitted requests have been answered.
    pub async fn wait(&mut self) {
        while self.connections.join_next().await.is_some() {}
    }

    /// Stops sending, waits for outstanding responses, and returns what was recorded.
    pub async fn finish(mut self) -> LoadResult {
        self.shared.remaining.set(0);
        // A request that is still unanswered then is lost together with its connection.
        let _ = tokio::time::timeout(TAIL_LIMIT, self.wait()).await;
        self.connections.abort_all();
        LoadResult {
            completed: self.shared.completed.get(),
            errors: self.shared.errors.get(),
            latencies_us: self.shared.latencies_us.borrow().clone(),
        }
    }
}

impl Shared {
    fn take_turn(&self) -> bool {
        let remaining = self.remaining.get();
        self.remaining.set(remaining.saturating_sub(1));
        remaining > 0
    }

    fn record(&self, succeeded: bool, latency: Duration) {
        if !self.recording.get() {
            return;
        }
        if !succeeded {
            self.errors.set(self.errors.get() + 1);
            return;
        }
        self.completed.set(self.completed.get() + 1);
        let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latencies_us.borrow_mut().saturating_record(latency_us.max(1));
    }
}

async fn run_connection(address: SocketAddr, mut writer: RequestWriter, shared: Rc<Shared>) {
    let mut connection = None;
    while shared.take_turn() {
        let sent = Instant::now();
        let status = round_trip(&mut connection, address, writer.next_request()).await;
        let succeeded = matches!(status, Ok(200..=299));
        shared.record(succeeded, sent.elapsed());
        if status.is_err() {
            connection = None;
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
    }
}

async fn round_trip(
    connection: &mut Option<Connection>,
    address: SocketAddr,
    request: &[u8],
) -> std::io::Result<u16> {
    let connection = match connection {
        Some(open) => open,
        None => connection.insert(Connection::open(address).await?),
    };
    Ok(connection.round_trip(request).await?.status)
}

#[cfg(test)]
mod tests;
