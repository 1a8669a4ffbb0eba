//! The cost of a fresh, idle server.

use std::time::Duration;

use crate::sample::{Metric, Part};
use crate::server::{ServerKind, Tracing};

use super::bench::{Bench, subject};

/// Time for start-up work to settle.
const SETTLE: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(5);

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    for round in 0..bench.args.rounds {
        for server in bench.servers_in_turn(round) {
            let what = format!("idle: round {round}, {}", server.name());
            bench.progress(&what);
            let outcome = measure(bench, round, server).await;
            bench.note_failure(&what, outcome)?;
        }
    }
    Ok(())
}

async fn measure(bench: &mut Bench, round: u64, server: ServerKind) -> anyhow::Result<()> {
    let stand = bench.start(server, Tracing::Off).await?;
    let meter = stand.meter();
    tokio::time::sleep(SETTLE).await;
    let before = meter.read()?;
    tokio::time::sleep(MEASURED).await;
    let usage = before.until(&meter.read()?);
    let values = [
        (Metric::RssMb, usage.rss_bytes / 1e6),
        (Metric::IdleCpuPercent, usage.server_cpu_us / usage.seconds / 1e4),
        (Metric::StoreMb, stand.store_bytes() as f64 / 1e6),
    ];
    bench.recorder.samples(&subject(Part::Idle, server, "fresh", 0), round, &values)?;
    stand.stop().await
}
