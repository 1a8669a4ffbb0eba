//! An empty store compared with one that holds many live rows: the cost of an echo, and of a
//! restart.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::load::closed_loop::ClosedLoop;
use crate::load::request::{Key, RequestTemplate};
use crate::sample::{Metric, Part};
use crate::server::{ServerKind, Stand};
use crate::workload::{Shape, Workload};

use super::bench::{Bench, subject};
use super::cell::Cell;

const ECHO: Workload = Workload { shape: Shape::Echo, retained: true };
const ECHO_CONCURRENCY: u64 = 64;
/// Low, because each of these calls is large.
const FILL_CONCURRENCY: u64 = 8;
/// Time for a store to finish the work that filling and recovery leave behind.
const SETTLE: Duration = Duration::from_secs(10);

/// Names of the states in which a server is observed.
const EMPTY: &str = "empty";
const FULL: &str = "full";

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    bench.on_each_server(Part::Rows, measure).await
}

async fn measure(bench: &mut Bench, stand: &mut Stand, server: ServerKind) -> anyhow::Result<()> {
    measure_state(bench, stand, server, EMPTY).await?;
    let rows_per_second = fill(bench, stand).await?;
    let values = [(Metric::RowsPerSecond, rows_per_second)];
    bench.recorder.samples(&subject(Part::Rows, server, FULL, ECHO_CONCURRENCY), 0, &values)?;
    measure_state(bench, stand, server, FULL).await
}

async fn measure_state(
    bench: &mut Bench,
    stand: &mut Stand,
    server: ServerKind,
    case: &str,
) -> anyhow::Result<()> {
    let subject = subject(Part::Rows, server, case, ECHO_CONCURRENCY);
    // Kill first, so that both states are measured on a process that has just recovered.
    for kill in 0..bench.args.kills {
        let first_answer_ms = stand.kill_and_restart().await?.as_secs_f64() * 1e3;
        let values = [(Metric::FirstAnswerMs, first_answer_ms)];
        bench.recorder.samples(&subject, kill, &values)?;
    }
    let cell = Cell {
        workload: ECHO,
        concurrency: ECHO_CONCURRENCY,
        warm: Duration::from_secs_f64(bench.args.warm),
        measured: Duration::from_secs_f64(bench.args.seconds),
    };
    tokio::time::sleep(SETTLE).await;
    for round in 0..bench.args.rounds {
        let values = cell.measure(stand).await?.values();
        bench.recorder.samples(&subject, round, &values)?;
    }
    let store = [(Metric::StoreMb, stand.store_bytes() as f64 / 1e6)];
    bench.recorder.samples(&subject, 0, &store)
}

/// Writes the rows; returns the rows per second.
async fn fill(bench: &Bench, stand: &Stand) -> anyhow::Result<f64> {
    let request = RequestTemplate {
        key: Key::EachOnce,
        suffix: "/fill".into(),
        ..RequestTemplate::post("/Rows/", &bench.args.rows_per_call.to_string())
    };
    let calls = bench.args.rows.div_ceil(bench.args.rows_per_call.max(1));
    let start = Instant::now();
    let mut running = ClosedLoop::start(stand.ingress(), &request, FILL_CONCURRENCY, calls)?;
    running.start_recording();
    running.wait().await;
    let outcome = running.finish().await;
    ensure!(outcome.errors == 0, "{} of {calls} filling calls failed", outcome.errors);
    let rows = outcome.completed * bench.args.rows_per_call;
    Ok(rows as f64 / start.elapsed().as_secs_f64())
}
