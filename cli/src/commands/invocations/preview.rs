//! How many invocations something would be done to, before it is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::operation::Operation;
use crate::{
    client::Client,
    commands::tally::{self, Tally},
    error::Error,
    output::sheet::counted,
    printer::fetch,
};

/// What is selected.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Preview {
    operation: &'static str,
    dry_run: bool,
    /// How many it would be tried on.
    pub(super) matched: u64,
    /// Whether there may be more, which a limit leaves out.
    #[serde(skip)]
    is_limited: bool,
    by_status: Vec<Tally>,
    /// When the newest of them was created; nothing that is created later is touched.
    #[serde(skip)]
    pub(super) newest: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Counted {
    #[serde(flatten)]
    tally: Tally,
    newest: Option<String>,
}

impl Preview {
    /// Counts what meets a condition, or the newest `limit` of it, which it would be done to.
    pub(super) async fn of(
        client: &Client,
        operation: Operation,
        condition: &str,
        limit: Option<u64>,
    ) -> Result<Self, Error> {
        let matching = format!("sys_invocation where {condition}");
        let selected = limit.map_or_else(
            || matching.clone(),
            |limit| {
                format!(
                    "(select status, created_at from {matching} \
                     order by created_at desc, id desc limit {limit}) as newest"
                )
            },
        );
        let statement = format!(
            "select status, count(*) as count, max(created_at) as newest from {selected} \
             group by status order by status"
        );
        Ok(Self::from_counts(operation, fetch(client, &statement).await?, limit))
    }

    fn from_counts(operation: Operation, counts: Vec<Counted>, limit: Option<u64>) -> Self {
        // As texts, they can't be compared: only some of them have a fraction of a second.
        let times = counts.iter().filter_map(|it| it.newest.as_ref()?.parse::<Timestamp>().ok());
        let newest = times.max().map(|at| at.to_string());
        let by_status: Vec<Tally> = counts.into_iter().map(|counted| counted.tally).collect();
        let matched = by_status.iter().map(|tally| tally.count).sum();
        let is_limited = limit.is_some_and(|limit| matched >= limit);
        Self { operation: operation.name(), dry_run: true, matched, is_limited, by_status, newest }
    }

    /// The same of ids that were named, some of which may not exist.
    pub(super) fn among(mut self, named: u64) -> Self {
        let missing = named.saturating_sub(self.matched);
        if missing > 0 {
            self.by_status.push(Tally { status: "unknown".to_owned(), count: missing });
        }
        Self { matched: named, ..self }
    }

    /// What would happen.
    pub(super) fn sentence(&self) -> String {
        format!("{} would be tried on {}", self.operation, self.words())
    }

    /// How many there are of what.
    pub(super) fn words(&self) -> String {
        let invocations = counted(self.matched, "invocation", "invocations");
        if self.matched == 0 {
            return invocations;
        }
        let which = if self.is_limited { "the newest " } else { "" };
        format!("{which}{invocations} ({})", tally::words(&self.by_status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(counts: &[(&str, u64, &str)], limit: Option<u64>) -> Preview {
        let counts = counts.iter().map(|(status, count, newest)| Counted {
            tally: Tally { status: (*status).to_owned(), count: *count },
            newest: Some((*newest).to_owned()),
        });
        Preview::from_counts(Operation::Kill, counts.collect(), limit)
    }

    const COUNTS: [(&str, u64, &str); 2] =
        [("paused", 1200, "2026-01-01T00:00:09Z"), ("running", 3, "2026-01-01T00:00:09.718Z")];

    #[test]
    fn it_says_how_many_of_what() {
        assert_eq!(preview(&COUNTS, None).words(), "1,203 invocations (1,200 paused, 3 running)");
        let limited = preview(&COUNTS, Some(1203));
        assert_eq!(limited.words(), "the newest 1,203 invocations (1,200 paused, 3 running)");
        let all = preview(&COUNTS, Some(9999));
        assert_eq!((all.matched, all.words()), (1203, preview(&COUNTS, None).words()));
        assert_eq!(preview(&[], None).words(), "0 invocations");
        let named = preview(&COUNTS[1..], None).among(5);
        assert_eq!(named.words(), "5 invocations (3 running, 2 unknown)");
    }

    #[test]
    fn the_newest_is_the_latest_time_and_not_the_greatest_text() {
        let newest = preview(&COUNTS, None).newest;
        assert_eq!(newest.as_deref(), Some("2026-01-01T00:00:09.718Z"));
    }
}
