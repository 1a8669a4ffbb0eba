//! The workload tables: one per workload, with the servers side by side at every concurrency.

use crate::sample::{Metric, Part, Subject};

use super::figures::Figures;
use super::table::{number, table, with_span};

const COLUMNS: [&str; 11] = [
    "connections",
    "server",
    "requests/s",
    "p50 ms",
    "p99 ms",
    "server CPU µs",
    "service CPU µs",
    "fsyncs",
    "bytes written",
    "RSS MB",
    "errors",
];

pub(super) fn render(figures: &Figures) -> String {
    let cases = figures.cases(Part::Load);
    if cases.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "\n## Workloads\n\nCPU, fsyncs and bytes are per request; a request of `call5` is six \
         invocations.\nThe time and work of `send` last until all that was sent has run; its \
         latency is that of being accepted.\n",
    );
    for case in cases {
        let mut subjects: Vec<_> =
            figures.subjects(Part::Load).filter(|subject| subject.case == case).collect();
        // The sort is stable, so servers keep their order within a concurrency.
        subjects.sort_by_key(|subject| subject.concurrency);
        let rows: Vec<_> = subjects.into_iter().map(|subject| row(figures, subject)).collect();
        text.push_str(&format!("\n### {case}\n\n{}", table(&COLUMNS, &rows)));
    }
    text
}

fn row(figures: &Figures, subject: &Subject) -> Vec<String> {
    let shown = |metric| number(figures.median(subject, metric));
    let counted = Subject { part: Part::Fsyncs, ..subject.clone() };
    vec![
        subject.concurrency.to_string(),
        subject.server.clone(),
        with_span(figures.summary(subject, Metric::RequestsPerSecond)),
        shown(Metric::P50Ms),
        shown(Metric::P99Ms),
        shown(Metric::ServerCpuUs),
        shown(Metric::ServiceCpuUs),
        number(figures.median(&counted, Metric::Fsyncs)),
        shown(Metric::WrittenBytes),
        shown(Metric::RssMb),
        shown(Metric::Errors),
    ]
}
