//! Invocations are counted by service and status, and so are those that are pinned to a deployment.

use std::collections::BTreeMap;

use super::checked::{Checked, rows};
use crate::tables::{Key, Row, Table, Tables, tally::Tally};

pub(super) fn check(tables: &Tables<'_>) -> Checked {
    let mut counts: BTreeMap<Key, Tally> = BTreeMap::new();
    for (_, row) in rows(tables, Table::Invocation) {
        let Row::Invocation(invocation) = row else { continue };
        let service = invocation.target.service.as_bytes();
        let status = invocation.status.kind();
        let key = Table::Tally.key().bytes(service).done();
        counts.entry(key).or_default().add(status);
        if let Some(pin) = invocation.pin {
            let key = Table::PinnedTally.key().u128(pin.deployment.0).bytes(service).done();
            counts.entry(key).or_default().add(status);
        }
    }
    let mut tallies = BTreeMap::new();
    for (key, row) in rows(tables, Table::Tally).into_iter().chain(rows(tables, Table::PinnedTally))
    {
        let Row::Tally(tally) = row else { return Err(format!("a tally is {row:?}")) };
        tallies.insert(key, *tally);
    }
    ensure!(tallies == counts, "invocations are counted as {tallies:?}, but are {counts:?}");
    Ok(())
}
