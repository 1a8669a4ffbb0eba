//! Tables of the cost of a server in a given state: idle, with suspended invocations, restarted,
//! with a large store, or with people who look at it.

use crate::sample::{Metric, Part, Subject};

use super::figures::Figures;
use super::table::{number, table};

type Column = (&'static str, Metric);

const IDLE: [Column; 3] = [
    ("RSS MB", Metric::RssMb),
    ("CPU % of a core", Metric::IdleCpuPercent),
    ("data directory MB", Metric::StoreMb),
];
const RESTART: [Column; 5] = [
    ("first answer after kill -9, ms", Metric::FirstAnswerMs),
    ("CPU until then, ms", Metric::RecoveryCpuMs),
    ("RSS MB", Metric::RssMb),
    ("data directory MB", Metric::StoreMb),
    ("errors", Metric::Errors),
];
const ROWS: [Column; 8] = [
    ("requests/s", Metric::RequestsPerSecond),
    ("p99 ms", Metric::P99Ms),
    ("server CPU µs", Metric::ServerCpuUs),
    ("bytes written", Metric::WrittenBytes),
    ("RSS MB", Metric::RssMb),
    ("data directory MB", Metric::StoreMb),
    ("first answer after kill -9, ms", Metric::FirstAnswerMs),
    ("rows/s while filling", Metric::RowsPerSecond),
];
const SQL: [Column; 3] =
    [("p50 ms", Metric::P50Ms), ("p99 ms", Metric::P99Ms), ("times asked", Metric::Queries)];
const DASHBOARDS: [Column; 8] = [
    ("requests/s", Metric::RequestsPerSecond),
    ("p50 ms", Metric::P50Ms),
    ("p99 ms", Metric::P99Ms),
    ("server CPU µs", Metric::ServerCpuUs),
    ("RSS MB", Metric::RssMb),
    ("queries answered", Metric::Queries),
    ("queries failed", Metric::QueryErrors),
    ("errors", Metric::Errors),
];
const BULK: [Column; 7] = [
    ("requests/s", Metric::RequestsPerSecond),
    ("p50 ms", Metric::P50Ms),
    ("p99 ms", Metric::P99Ms),
    ("server CPU µs", Metric::ServerCpuUs),
    ("RSS MB", Metric::RssMb),
    ("the cancellation took, s", Metric::BulkSeconds),
    ("errors", Metric::Errors),
];

pub(super) fn render(figures: &Figures) -> String {
    [
        section(figures, Part::Idle, "Idle", &IDLE),
        section(figures, Part::Restart, "Restart with invocations suspended", &RESTART),
        section(figures, Part::Rows, "Echo on an empty and on a full store", &ROWS),
        section(figures, Part::Sql, "Queries on many retained invocations", &SQL),
        section(figures, Part::Dashboards, "Workloads beside dashboards", &DASHBOARDS),
        section(figures, Part::Bulk, "Workloads beside backups and a bulk cancellation", &BULK),
    ]
    .concat()
}

fn section(figures: &Figures, part: Part, title: &str, columns: &[Column]) -> String {
    let row = |subject: &Subject| {
        let mut cells = vec![subject.case.clone(), subject.server.clone()];
        cells.extend(columns.iter().map(|(_, metric)| number(figures.median(subject, *metric))));
        cells
    };
    let mut subjects: Vec<_> = figures.subjects(part).collect();
    if subjects.is_empty() {
        return String::new();
    }
    let cases = figures.cases(part);
    subjects.sort_by_key(|subject| cases.iter().position(|case| *case == subject.case));
    let rows: Vec<_> = subjects.into_iter().map(row).collect();
    let mut names = vec!["state", "server"];
    names.extend(columns.iter().map(|(name, _)| *name));
    format!("\n## {title}\n\n{}", table(&names, &rows))
}
