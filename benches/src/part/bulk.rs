//! The workloads alone, while backups are taken, and while an operator cancels many suspended
//! invocations by a filter.

use std::cell::Cell as Took;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::load::closed_loop::ClosedLoop;
use crate::load::request::RequestTemplate;
use crate::sample::{Metric, Part};
use crate::server::{ServerKind, Stand, Tally};

use super::bench::{Bench, subject};
use super::cell::Cell;

const CONCURRENCY: u64 = 64;
/// Longer than any run.
const SLEEP_MS: u64 = 24 * 60 * 60 * 1000;
/// Time limit for all sleepers to be suspended.
const SUSPEND_LIMIT: Duration = Duration::from_secs(600);

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    bench.on_each_server(Part::Bulk, measure).await
}

async fn measure(bench: &mut Bench, stand: &mut Stand, server: ServerKind) -> anyhow::Result<()> {
    for round in 0..bench.args.rounds {
        for workload in bench.args.workloads.clone() {
            for concurrency in bench.args.concurrency.clone() {
                let cell = Cell {
                    workload,
                    concurrency,
                    warm: Duration::from_secs_f64(bench.args.warm),
                    measured: Duration::from_secs_f64(bench.args.seconds),
                };
                suspend(stand, bench.args.cancelled).await?;
                bench.progress(&format!("round {round}, {workload} alone on {}", server.name()));
                let values = cell.measure(stand).await?.values();
                let alone = subject(Part::Bulk, server, format!("{workload}, alone"), concurrency);
                bench.recorder.samples(&alone, round, &values)?;

                if matches!(server, ServerKind::Abide | ServerKind::AbideSdk) {
                    let backups = back_up(bench.abide(), stand, cell.measured);
                    let values = cell.measure_during(stand, backups).await?.values();
                    let case = format!("{workload}, backups");
                    let beside = subject(Part::Bulk, server, case, concurrency);
                    bench.recorder.samples(&beside, round, &values)?;
                }

                bench
                    .progress(&format!("round {round}, {workload} beside it on {}", server.name()));
                let took = Took::new(Duration::ZERO);
                let cancelling = async {
                    let began = Instant::now();
                    cancel(bench.abide(), stand).await?;
                    took.set(began.elapsed());
                    Ok(())
                };
                let mut values = cell.measure_during(stand, cancelling).await?.values();
                values.push((Metric::BulkSeconds, took.get().as_secs_f64()));
                let case = format!("{workload}, {} cancelled", bench.args.cancelled);
                let beside = subject(Part::Bulk, server, case, concurrency);
                bench.recorder.samples(&beside, round, &values)?;
            }
        }
    }
    Ok(())
}

/// Has this many invocations suspended.
async fn suspend(stand: &Stand, count: u64) -> anyhow::Result<()> {
    let before = stand.tally().await?.started;
    let sleepers = RequestTemplate::post("/Sleeper/sleep/send", &SLEEP_MS.to_string());
    let mut running = ClosedLoop::start(stand.ingress(), &sleepers, CONCURRENCY, count)?;
    running.start_recording();
    running.wait().await;
    let sent = running.finish().await;
    ensure!(sent.errors == 0, "{} of {count} invocations were refused", sent.errors);
    let suspended = |tally: Tally| tally.started >= before + count && tally.live == 0;
    stand.wait_for_tally(SUSPEND_LIMIT, suspended).await
}

/// Cancels them all, as an operator does: with the command line, which asks any server that has the
/// admin API.
async fn cancel(abide: &Path, stand: &Stand) -> anyhow::Result<()> {
    command(abide, stand, &["invocations", "cancel", "--service", "Sleeper", "--yes", "--json"])
        .await
        .context("cannot cancel")
}

/// Takes one backup after the other for this long, and lets the last one end.
async fn back_up(abide: &Path, stand: &Stand, duration: Duration) -> anyhow::Result<()> {
    let began = Instant::now();
    while began.elapsed() < duration {
        command(abide, stand, &["backup", "--to", "-"]).await.context("cannot back up")?;
    }
    Ok(())
}

async fn command(abide: &Path, stand: &Stand, words: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(abide);
    command.args(words).arg("--admin").arg(format!("http://{}", stand.admin()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = command.output().await.context("cannot run the command line")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "it ended with {}: {said}", output.status);
    Ok(())
}
