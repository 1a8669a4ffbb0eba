//! Invocations are counted by service and status.

use std::collections::BTreeMap;

use super::checked::{Checked, rows};
use crate::tables::{Row, Table, Tables, key::KeyReader, tally::Tally};

pub(super) fn check(tables: &Tables<'_>) -> Checked {
    let mut counts: BTreeMap<String, Tally> = BTreeMap::new();
    for (_, row) in rows(tables, Table::Invocation) {
        let Row::Invocation(invocation) = row else { continue };
        counts.entry(invocation.target.service).or_default().add(invocation.status.kind());
    }
    let mut tallies = BTreeMap::new();
    for (key, row) in rows(tables, Table::Tally) {
        let service = KeyReader::new(&key).text().ok_or("a tally has a broken key")?;
        let Row::Tally(tally) = row else { return Err(format!("a tally is {row:?}")) };
        tallies.insert(service, *tally);
    }
    ensure!(tallies == counts, "invocations are counted as {tallies:?}, but are {counts:?}");
    Ok(())
}
