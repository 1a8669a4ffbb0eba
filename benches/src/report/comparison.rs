//! The comparison: the first server of the run relative to each of the others, as factors.

use crate::sample::{Metric, Part, Subject};

use super::figures::Figures;
use super::table::{number, table};

const COLUMNS: [&str; 5] =
    ["workload", "connections", "against", "× requests/s", "× less server CPU per request"];

pub(super) fn render(figures: &Figures) -> String {
    let servers = figures.servers(Part::Load);
    let [ours, others @ ..] = &servers[..] else { return String::new() };
    if others.is_empty() {
        return String::new();
    }
    let mut rows = vec![];
    for subject in figures.subjects(Part::Load).filter(|subject| subject.server == *ours) {
        for other in others {
            rows.push(row(figures, subject, other));
        }
    }
    format!("\n## {ours} against the others\n\n{}", table(&COLUMNS, &rows))
}

fn row(figures: &Figures, ours: &Subject, other: &str) -> Vec<String> {
    let theirs = Subject { server: other.to_owned(), ..ours.clone() };
    let ratio = |over: &Subject, under: &Subject, metric| {
        let (over, under) = (figures.median(over, metric)?, figures.median(under, metric)?);
        (under > 0.0).then_some(over / under)
    };
    vec![
        ours.case.clone(),
        ours.concurrency.to_string(),
        other.to_owned(),
        number(ratio(ours, &theirs, Metric::RequestsPerSecond)),
        number(ratio(&theirs, ours, Metric::ServerCpuUs)),
    ]
}
