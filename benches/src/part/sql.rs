//! Queries on many retained invocations: the time of each, asked one after the other.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use runtime_seeded::Random;

use crate::load::query::QueryConnection;
use crate::sample::{Metric, Part};
use crate::server::{ServerKind, Stand};
use crate::workload::COUNTER_KEYS;

use super::bench::{Bench, subject};
use super::retained;

/// Time for a store to finish the work that filling leaves behind.
const SETTLE: Duration = Duration::from_secs(10);
/// Each query is asked at least this often, however long it takes.
const REPETITIONS_MIN: u64 = 5;
/// Times above this are recorded as this value.
const LATENCY_US_MAX: u64 = 600_000_000;

/// A question that operators ask. `{id}` stands for one of the invocations and `{key}` for one
/// of the objects, a different one each time.
struct Question {
    name: &'static str,
    sql: &'static str,
}

const QUESTIONS: [Question; 8] = [
    Question {
        name: "one invocation by id",
        sql: "select * from sys_invocation where id = '{id}'",
    },
    Question {
        name: "invocations of one key",
        sql: "select id, status, created_at from sys_invocation where target_service_name = 'Counter' and target_service_key = '{key}'",
    },
    Question {
        name: "count by status",
        sql: "select status, count(*) from sys_invocation group by status",
    },
    Question {
        name: "count by service",
        sql: "select target_service_name, count(*) from sys_invocation group by target_service_name",
    },
    Question {
        name: "newest 100",
        sql: "select id, target, status, created_at from sys_invocation order by created_at desc limit 100",
    },
    Question {
        name: "journal of one invocation",
        sql: "select * from sys_journal where id = '{id}'",
    },
    Question {
        name: "state of one key",
        sql: "select * from state where service_name = 'Counter' and service_key = '{key}'",
    },
    Question { name: "select 1", sql: "select 1" },
];

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    bench.on_each_server(Part::Sql, measure).await
}

async fn measure(bench: &mut Bench, stand: &mut Stand, server: ServerKind) -> anyhow::Result<()> {
    let ids = retained::fill(stand, bench.args.invocations).await?;
    tokio::time::sleep(SETTLE).await;
    let mut connection = QueryConnection::open(stand.admin()).await?;
    let mut random = Random::new(0);
    for round in 0..bench.args.rounds {
        for Question { name, sql } in QUESTIONS {
            bench.progress(&format!("sql: round {round}, {name} on {}", server.name()));
            let mut times_us = Histogram::<u64>::new_with_bounds(1, LATENCY_US_MAX, 3)?;
            let started = Instant::now();
            while times_us.len() < REPETITIONS_MIN
                || started.elapsed().as_secs_f64() < bench.args.seconds
            {
                let id = &ids[usize::try_from(random.below(ids.len() as u64))?];
                let key = format!("k{}", random.below(COUNTER_KEYS));
                let time = connection.ask(&sql.replace("{id}", id).replace("{key}", &key)).await?;
                times_us.saturating_record(u64::try_from(time.as_micros())?.max(1));
            }
            let quantile_ms = |quantile| times_us.value_at_quantile(quantile) as f64 / 1e3;
            let values = [
                (Metric::P50Ms, quantile_ms(0.5)),
                (Metric::P99Ms, quantile_ms(0.99)),
                (Metric::Queries, times_us.len() as f64),
            ];
            bench.recorder.samples(&subject(Part::Sql, server, name, 1), round, &values)?;
        }
    }
    Ok(())
}
