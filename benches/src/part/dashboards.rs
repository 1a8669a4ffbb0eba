//! The workloads with and without dashboards next to them, in turn, on many retained invocations.

use std::cell::Cell as Counter;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::load::query::QueryConnection;
use crate::sample::{Metric, Part};
use crate::server::{ServerKind, Stand};
use crate::workload::Workload;

use super::bench::{Bench, subject};
use super::cell::Cell;
use super::retained;

/// How often a dashboard asks all of its queries.
const REFRESH: Duration = Duration::from_secs(1);

/// What one dashboard shows: how much there is of what, what fails, and what happened last.
const QUERIES: [&str; 4] = [
    "select status, count(*) from sys_invocation group by status",
    "select target_service_name, count(*) from sys_invocation group by target_service_name",
    "select target, retry_count, last_failure from sys_invocation where status = 'backing-off' limit 20",
    "select id, target, status, created_at from sys_invocation order by created_at desc limit 20",
];

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    bench.on_each_server(Part::Dashboards, measure).await
}

async fn measure(bench: &mut Bench, stand: &mut Stand, server: ServerKind) -> anyhow::Result<()> {
    retained::fill(stand, bench.args.invocations).await?;
    for round in 0..bench.args.rounds {
        for workload in bench.args.workloads.clone() {
            for concurrency in bench.args.concurrency.clone() {
                for dashboards in [0, bench.args.dashboards] {
                    let what = format!("{workload}, {dashboards} dashboards");
                    bench.progress(&format!("round {round}, {what} on {}", server.name()));
                    let cell = cell(bench, workload, concurrency);
                    let values = beside(stand, cell, dashboards).await?;
                    let subject = subject(Part::Dashboards, server, what, concurrency);
                    bench.recorder.samples(&subject, round, &values)?;
                }
            }
        }
    }
    Ok(())
}

fn cell(bench: &Bench, workload: Workload, concurrency: u64) -> Cell {
    Cell {
        workload,
        concurrency,
        warm: Duration::from_secs_f64(bench.args.warm),
        measured: Duration::from_secs_f64(bench.args.seconds),
    }
}

/// Measures a workload next to a number of dashboards.
async fn beside(stand: &Stand, cell: Cell, dashboards: u64) -> anyhow::Result<Vec<(Metric, f64)>> {
    let mut polls = JoinSet::new();
    let polled = Rc::new(Polled::default());
    for _ in 0..dashboards {
        polls.spawn_local(poll(stand.admin(), polled.clone()));
    }
    let mut values = cell.measure(stand).await?.values();
    values.push((Metric::Queries, f64::from(polled.answered.get())));
    values.push((Metric::QueryErrors, f64::from(polled.failed.get())));
    Ok(values)
}

/// How the queries of all dashboards went.
#[derive(Default)]
struct Polled {
    answered: Counter<u32>,
    failed: Counter<u32>,
}

/// Refreshes one dashboard. A refresh that takes longer than [`REFRESH`] is followed by the next one
/// at once.
async fn poll(admin: SocketAddr, polled: Rc<Polled>) {
    let mut ticks = tokio::time::interval(REFRESH);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let refreshed: std::io::Result<()> = async {
            let mut connection = QueryConnection::open(admin).await?;
            for sql in QUERIES {
                connection.ask(sql).await?;
                polled.answered.set(polled.answered.get() + 1);
            }
            Ok(())
        }
        .await;
        if refreshed.is_err() {
            polled.failed.set(polled.failed.get() + 1);
        }
    }
}
