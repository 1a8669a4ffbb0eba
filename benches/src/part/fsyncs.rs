//! Fsyncs per invocation: the same workloads, in a single short run under strace.

use std::time::Duration;

use anyhow::ensure;

use crate::sample::{Metric, Part};
use crate::server::{ServerKind, Stand, Tracing};

use super::bench::{Bench, subject};
use super::cell::Cell;

const WARM: Duration = Duration::from_millis(500);

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    for server in bench.servers_in_turn(0) {
        let what = format!("fsyncs: {}", server.name());
        bench.progress(&what);
        let outcome = count(bench, server).await;
        bench.note_failure(&what, outcome)?;
    }
    Ok(())
}

async fn count(bench: &mut Bench, server: ServerKind) -> anyhow::Result<()> {
    let stand = bench.start(server, Tracing::Fsyncs).await?;
    let outcome = count_on(bench, &stand, server).await;
    stand.stop().await.and(outcome)
}

async fn count_on(bench: &mut Bench, stand: &Stand, server: ServerKind) -> anyhow::Result<()> {
    ensure!(stand.meter().fsyncs.is_some(), "strace is missing or not permitted to trace");
    let measured = Duration::from_secs_f64(bench.args.fsync_seconds);
    for workload in bench.args.workloads.clone() {
        for concurrency in bench.args.concurrency.clone() {
            let cell = Cell { workload, concurrency, warm: WARM, measured };
            let fsyncs = cell.measure(stand).await?.fsyncs();
            let values: Vec<_> = fsyncs.map(|count| (Metric::Fsyncs, count)).into_iter().collect();
            let subject = subject(Part::Fsyncs, server, workload, concurrency);
            bench.recorder.samples(&subject, 0, &values)?;
        }
    }
    Ok(())
}
