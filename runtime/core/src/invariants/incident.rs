//! The latest incidents of each invocation are kept, and counted.

use std::collections::BTreeMap;

use super::checked::{Checked, rows};
use crate::{
    model::ids::Lsn,
    size,
    tables::{Row, Table, Tables, incident, key::KeyReader},
};

pub(super) fn check(tables: &Tables<'_>) -> Checked {
    let mut kept: BTreeMap<Lsn, (Vec<u32>, u64)> = BTreeMap::new();
    for (key, row) in rows(tables, Table::Incident) {
        let mut reader = KeyReader::new(&key);
        let (lsn, number) = reader.lsn().zip(reader.u32()).ok_or("an incident has a broken key")?;
        let Row::Incident(incident) = row else { return Err(format!("an incident is {row:?}")) };
        let (numbers, bytes) = kept.entry(lsn).or_default();
        numbers.push(number);
        *bytes += size::of_incident(&incident);
    }
    for (key, row) in rows(tables, Table::Invocation) {
        let lsn = KeyReader::new(&key).lsn().ok_or("an invocation has a broken key")?;
        let Row::Invocation(invocation) = row else { continue };
        let (numbers, bytes) = kept.remove(&lsn).unwrap_or_default();
        let expected: Vec<u32> = incident::kept(invocation.incidents).collect();
        ensure!(numbers == expected, "{lsn:?} has incidents {numbers:?}, not {expected:?}");
        let counted = invocation.incident_bytes;
        ensure!(bytes == counted, "the incidents of {lsn:?} take {bytes} bytes, not {counted}");
    }
    ensure!(kept.is_empty(), "incidents without their invocations: {kept:?}");
    Ok(())
}
