//! How many invocations there are in each status.

use serde::{Deserialize, Serialize};

use crate::{client::Client, error::Error, output::sheet::grouped, printer::fetch};

/// So many invocations in a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) status: String,
    pub(super) count: u64,
}

/// Counts the invocations that meet a condition.
pub(super) async fn count(client: &Client, condition: &str) -> Result<Vec<Tally>, Error> {
    let statement = format!(
        "select status, count(*) as count from sys_invocation where {condition} \
         group by status order by status"
    );
    fetch(client, &statement).await
}

/// The counts in words.
pub(super) fn words(tallies: &[Tally]) -> String {
    let words = tallies.iter().map(|it| format!("{} {}", grouped(it.count), it.status));
    let words: Vec<String> = words.collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}
