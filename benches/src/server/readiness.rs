//! Readiness of a server: its admin address reports healthy, it has accepted our deployment, and it
//! has answered a first call.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::task::JoinSet;

use crate::load::connection::request_once;
use crate::load::request::{RequestTemplate, RequestWriter};

use super::ports::Ports;

const READY_LIMIT: Duration = Duration::from_secs(120);
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// Time limit of one probe for the first answer; other probes run concurrently.
const PROBE_LIMIT: Duration = Duration::from_secs(10);
/// Interval between probes, which is also the resolution of the time to the first answer.
const PROBE_PAUSE: Duration = Duration::from_millis(10);
/// Maximum number of concurrent probes, so that they do not become a load of their own.
const PROBES_MAX: usize = 32;
const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Waits until the admin address reports healthy.
pub(super) async fn wait_for_health(ports: Ports) -> anyhow::Result<()> {
    retry(ports.admin(), HEALTH).await.context("the admin address did not become healthy")
}

/// Registers the services' deployment.
pub(super) async fn register(ports: Ports) -> anyhow::Result<()> {
    let body = format!(r#"{{"uri":"http://{}/","force":true}}"#, ports.service());
    let request = request_bytes("/deployments", &body);
    retry(ports.admin(), &request).await.context("the deployment was not accepted")
}

/// Waits until an echo is answered; returns the time that took.
///
/// New probes are sent while earlier ones wait, because a server that is still recovering may hold
/// the first ones for a long time.
pub(super) async fn first_answer(ports: Ports) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let mut probes = JoinSet::new();
    while start.elapsed() < READY_LIMIT {
        if probes.len() < PROBES_MAX {
            probes.spawn_local(probe(ports.ingress()));
        }
        tokio::time::sleep(PROBE_PAUSE).await;
        while let Some(answered) = probes.try_join_next() {
            if let Some(at) = answered? {
                return Ok(at - start);
            }
        }
    }
    bail!("no echo was answered within {READY_LIMIT:?}")
}

async fn probe(ingress: SocketAddr) -> Option<Instant> {
    let request = request_bytes("/Echo/echo", "\"probe\"");
    let answer = tokio::time::timeout(PROBE_LIMIT, request_once(ingress, &request)).await;
    matches!(answer, Ok(Ok((200..=299, _)))).then(Instant::now)
}

fn request_bytes(path: &str, body: &str) -> Vec<u8> {
    RequestWriter::new(RequestTemplate::post(path, body), 0, 1).next_request().to_vec()
}

async fn retry(address: SocketAddr, request: &[u8]) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        let failure = match request_once(address, request).await {
            Ok((200..=299, _)) => return Ok(()),
            Ok((status, body)) => format!("{status} {body}"),
            Err(error) => error.to_string(),
        };
        if start.elapsed() > READY_LIMIT {
            bail!(failure);
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}
