//! The workloads at each concurrency.
//!
//! Servers take turns within each workload of each round, always on an empty data directory, so
//! that a server's earlier work affects no measurement and noise affects all servers.

use std::time::Duration;

use crate::sample::Part;
use crate::server::{ServerKind, Stand, Tracing};
use crate::workload::Workload;

use super::bench::{Bench, subject};
use super::cell::Cell;

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    for round in 0..bench.args.rounds {
        for workload in bench.args.workloads.clone() {
            for server in bench.servers_in_turn(round) {
                let what = format!("load: round {round}, {workload} on {}", server.name());
                bench.progress(&what);
                let outcome = measure(bench, round, workload, server).await;
                bench.note_failure(&what, outcome)?;
            }
        }
    }
    Ok(())
}

async fn measure(
    bench: &mut Bench,
    round: u64,
    workload: Workload,
    server: ServerKind,
) -> anyhow::Result<()> {
    let stand = bench.start(server, Tracing::Off).await?;
    let outcome = measure_on(bench, &stand, round, workload, server).await;
    stand.stop().await.and(outcome)
}

async fn measure_on(
    bench: &mut Bench,
    stand: &Stand,
    round: u64,
    workload: Workload,
    server: ServerKind,
) -> anyhow::Result<()> {
    let warm = Duration::from_secs_f64(bench.args.warm);
    let measured = Duration::from_secs_f64(bench.args.seconds);
    for concurrency in bench.args.concurrency.clone() {
        let cell = Cell { workload, concurrency, warm, measured };
        let values = cell.measure(stand).await?.values();
        let subject = subject(Part::Load, server, workload, concurrency);
        bench.recorder.samples(&subject, round, &values)?;
    }
    Ok(())
}
