//! Many retained invocations: what operators have in front of them when they ask a question.

use anyhow::{Context as _, ensure};

use crate::load::closed_loop::ClosedLoop;
use crate::load::connection::Connection;
use crate::load::request::{Key, RequestTemplate};
use crate::server::Stand;
use crate::workload::COUNTER_KEYS;

const CONCURRENCY: u64 = 64;
/// Ids are collected after each of these parts of the whole, so that they are of all ages.
const PARTS: u64 = 20;
/// Ids collected after each part.
const IDS_PER_PART: u64 = 50;

/// Completes the given number of invocations on [`COUNTER_KEYS`] objects; returns the ids of some.
pub(super) async fn fill(stand: &Stand, invocations: u64) -> anyhow::Result<Vec<String>> {
    let request = RequestTemplate {
        key: Key::Random { keys: COUNTER_KEYS },
        suffix: "/add".into(),
        ..RequestTemplate::post("/Counter/", "1")
    };
    let mut ids = vec![];
    for _ in 0..PARTS {
        let calls = (invocations / PARTS).saturating_sub(IDS_PER_PART);
        let mut running = ClosedLoop::start(stand.ingress(), &request, CONCURRENCY, calls)?;
        running.start_recording();
        running.wait().await;
        let outcome = running.finish().await;
        ensure!(outcome.errors == 0, "{} of {calls} filling calls failed", outcome.errors);
        send(stand, &mut ids).await?;
    }
    Ok(ids)
}

async fn send(stand: &Stand, ids: &mut Vec<String>) -> anyhow::Result<()> {
    let mut connection = Connection::open(stand.ingress()).await?;
    for key in 0..IDS_PER_PART {
        let request = format!(
            "POST /Counter/k{key}/add/send HTTP/1.1\r\nhost: localhost\r\n\
             content-type: application/json\r\ncontent-length: 1\r\n\r\n1"
        );
        let response = connection.round_trip(request.as_bytes()).await?;
        let text = String::from_utf8_lossy(response.body);
        let id = text.split('"').find(|word| word.starts_with("inv_"));
        ids.push(id.with_context(|| format!("no invocation id in {text}"))?.to_owned());
    }
    Ok(())
}
