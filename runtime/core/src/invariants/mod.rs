//! What holds for the rows between any two records. Simulations and tests check it after each
//! record; it can also check a file in doubt. The checks are pure and report the first violation.
//!
//! Each file checks one kind of row against the others.

use std::collections::BTreeSet;

use checked::{Checked, rows};

use crate::{
    model::{ids::Lsn, invocation::StatusKind},
    tables::{Key, Row, Table, Tables, key::KeyReader},
    time::Timestamp,
};

#[macro_use]
mod checked;
mod incident;
mod invocation;
mod journal;
mod notification;
mod object;
mod outbox;
mod removal;
mod tally;
mod timer;
mod waiter;
mod waiting_edit;

/// Checks all tables, which costs as much as reading them.
///
/// # Errors
/// Returns the first violation.
pub fn check(tables: &Tables<'_>) -> Checked {
    check_invocations(tables)?;
    journal::check(tables)?;
    incident::check(tables)?;
    tally::check(tables)?;
    object::check(tables)?;
    timer::check(tables)?;
    notification::check(tables)?;
    removal::check(tables)?;
    removal::check_early(tables)?;
    waiter::check(tables)?;
    waiting_edit::check(tables)?;
    outbox::check(tables)
}

/// Checks one invocation's row against the rows related to it, which takes a few reads regardless
/// of the length of its journal.
///
/// # Errors
/// Returns the first violation.
pub fn check_invocation(tables: &Tables<'_>, lsn: Lsn) -> Checked {
    match tables.invocation(lsn) {
        Some(row) => invocation::check(tables, lsn, &row),
        None => Ok(()),
    }
}

/// Like [`check_invocation`], for all unfinished invocations that changed at or after `since`.
///
/// # Errors
/// Returns the first violation.
pub fn check_since(tables: &Tables<'_>, since: Timestamp) -> Checked {
    let prefix = Table::IndexStatus.key().done();
    let mut from = prefix.clone();
    while let Some((key, _)) = tables.seek(&prefix, &from) {
        let (kind, lsn) = indexed(&key)?;
        if kind == StatusKind::Completed as u8 {
            return Ok(()); // The last kind in order.
        }
        let Some(row) = tables.invocation(lsn) else {
            return Err(format!("{lsn:?} is indexed as {kind}, but does not exist"));
        };
        let found = row.status.kind();
        ensure!(found as u8 == kind, "{lsn:?} is indexed as {kind}, but is {found:?}");
        if row.last_entry_at.max(row.modified_at) >= since {
            invocation::check(tables, lsn, &row)?;
        }
        from = key;
        from.push(0);
    }
    Ok(())
}

/// Every invocation and its journal, the index over them, and the bytes of those that have ended.
fn check_invocations(tables: &Tables<'_>) -> Checked {
    let mut statuses = BTreeSet::new();
    let mut retained = 0;
    for (key, row) in rows(tables, Table::Invocation) {
        let lsn = KeyReader::new(&key).lsn().ok_or("an invocation has a broken key")?;
        let Row::Invocation(row) = row else {
            return Err(format!("{lsn:?} is not an invocation: {row:?}"));
        };
        invocation::check(tables, lsn, &row)?;
        journal::check_entries(tables, lsn, &row)?;
        statuses.insert((row.status.kind() as u8, lsn));
        retained += removal::retained_bytes(tables, lsn, &row);
    }
    let counted = tables.meta().retained_bytes;
    ensure!(retained == counted, "finished invocations occupy {retained} bytes, not {counted}");
    for (key, _) in rows(tables, Table::IndexStatus) {
        let indexed = indexed(&key)?;
        ensure!(statuses.remove(&indexed), "{indexed:?} is in the index, but matches no row");
    }
    ensure!(statuses.is_empty(), "not indexed by status: {statuses:?}");
    Ok(())
}

/// What a key of the index by status says.
fn indexed(key: &Key) -> Result<(u8, Lsn), String> {
    let mut reader = KeyReader::new(key);
    Ok(reader.u8().zip(reader.lsn()).ok_or("an index has a broken key")?)
}
