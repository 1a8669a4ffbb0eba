//! Edits wait only while an invocation holds their key, behind it, and not too many of them.

use std::collections::{BTreeMap, BTreeSet};

use protocol::HandlerKind;

use super::checked::{Checked, rows};
use crate::{
    model::{ids::Lsn, invocation::StatusKind},
    size,
    tables::{
        Row, Table, Tables,
        key::KeyReader,
        waiting_edit::{WAITING_BYTES_MAX, WAITING_MAX},
    },
};

pub(super) fn check(tables: &Tables<'_>) -> Checked {
    let mut waiting: BTreeMap<(String, String), (Lsn, usize, usize)> = BTreeMap::new();
    for (key, row) in rows(tables, Table::WaitingEdit) {
        let mut reader = KeyReader::new(&key);
        let name = reader.text().zip(reader.text()).ok_or("an edit has a broken key")?;
        let place = reader.lsn().ok_or("an edit has a broken key")?;
        let Row::WaitingEdit(row) = row else { return Err(format!("an edit is {row:?}")) };
        let own = (row.edit.service.clone(), row.edit.key.clone());
        ensure!(own == name, "an edit of {own:?} waits for {name:?}");
        let (_, count, bytes) = waiting.entry(name).or_insert((place, 0, 0));
        *count += 1;
        *bytes += size::of_state_edit(&row.edit);
    }
    if waiting.is_empty() {
        return Ok(());
    }
    let runs = runs(tables);
    for (name, (first, count, bytes)) in waiting {
        let fits = count <= WAITING_MAX && bytes <= WAITING_BYTES_MAX;
        ensure!(fits, "{count} edits of {name:?} wait, with {bytes} bytes");
        match tables.object(&name.0, &name.1) {
            Some(lock) => {
                ensure!(first >= lock.head, "an edit waits at {first:?} of {name:?}, {lock:?}");
            }
            None => ensure!(runs.contains(&name), "edits wait for {name:?}, which is free"),
        }
    }
    Ok(())
}

/// The workflow keys whose run has started and not ended.
fn runs(tables: &Tables<'_>) -> BTreeSet<(String, String)> {
    let rows = rows(tables, Table::Invocation).into_iter();
    let invocations = rows.filter_map(|(_, row)| {
        if let Row::Invocation(invocation) = row { Some(invocation) } else { None }
    });
    let runs = invocations.filter(|row| {
        row.handler_kind == HandlerKind::Workflow
            && row.running_at.is_some()
            && row.status.kind() != StatusKind::Completed
    });
    runs.map(|row| (row.target.service.to_string(), row.target.key.to_string())).collect()
}
