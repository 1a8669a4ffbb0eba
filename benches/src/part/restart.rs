//! A kill after many calls, with many invocations suspended, and the time until the server
//! responds.

use std::time::Duration;

use crate::load::closed_loop::{ClosedLoop, LoadResult};
use crate::load::request::RequestTemplate;
use crate::measure::process::ProcessUsage;
use crate::sample::{Metric, Part};
use crate::server::{ServerKind, Stand};

use super::bench::{Bench, subject};

const CONCURRENCY: u64 = 64;
/// Longer than any run, so that no sleeper wakes up during it.
const SLEEP_MS: u64 = 24 * 60 * 60 * 1000;
/// Time limit for all sleepers to be suspended.
const SUSPEND_LIMIT: Duration = Duration::from_secs(600);

/// Names of the states in which a server is observed.
const AFTER_CALLS: &str = "after calls";
const SUSPENDED: &str = "suspended";
const RESTARTED: &str = "restarted";

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    bench.on_each_server(Part::Restart, measure).await
}

async fn measure(bench: &mut Bench, stand: &mut Stand, server: ServerKind) -> anyhow::Result<()> {
    let calls = RequestTemplate::post("/Echo/echo", "\"hello\"");
    let outcome = send(stand, &calls, bench.args.restart_calls).await?;
    observe(bench, stand, server, AFTER_CALLS, outcome.errors)?;

    let sleepers = RequestTemplate::post("/Sleeper/sleep/send", &SLEEP_MS.to_string());
    let outcome = send(stand, &sleepers, bench.args.suspended).await?;
    let expected = outcome.completed;
    let suspended = |tally: crate::server::Tally| tally.started >= expected && tally.live == 0;
    stand.wait_for_tally(SUSPEND_LIMIT, suspended).await?;
    observe(bench, stand, server, SUSPENDED, outcome.errors)?;

    for kill in 0..bench.args.kills {
        let first_answer = stand.kill_and_restart().await?;
        let usage = ProcessUsage::of(stand.meter().server_pid)?;
        let values = [
            (Metric::FirstAnswerMs, first_answer.as_secs_f64() * 1e3),
            (Metric::RecoveryCpuMs, usage.cpu_us as f64 / 1e3),
            (Metric::RssMb, usage.rss_bytes as f64 / 1e6),
        ];
        bench.recorder.samples(&subject(Part::Restart, server, RESTARTED, 0), kill, &values)?;
    }
    Ok(())
}

async fn send(stand: &Stand, request: &RequestTemplate, count: u64) -> anyhow::Result<LoadResult> {
    let mut running = ClosedLoop::start(stand.ingress(), request, CONCURRENCY, count)?;
    running.start_recording();
    running.wait().await;
    Ok(running.finish().await)
}

fn observe(
    bench: &mut Bench,
    stand: &Stand,
    server: ServerKind,
    case: &str,
    errors: u64,
) -> anyhow::Result<()> {
    let usage = ProcessUsage::of(stand.meter().server_pid)?;
    let values = [
        (Metric::RssMb, usage.rss_bytes as f64 / 1e6),
        (Metric::StoreMb, stand.store_bytes() as f64 / 1e6),
        (Metric::Errors, errors as f64),
    ];
    bench.recorder.samples(&subject(Part::Restart, server, case, 0), 0, &values)
}
