//! What has ended is removed in time, and nothing else is.

use std::collections::BTreeSet;

use super::checked::{Checked, rows};
use crate::{
    invocation::purge,
    model::{
        ids::Lsn,
        invocation::{Invocation, Status},
    },
    tables::{
        Key, Row, Table, Tables,
        expiry::{Expiring, ROWS_BYTES},
        key::KeyReader,
    },
    time::Timestamp,
};

/// Only completed invocations, their journals and promises are scheduled for removal.
pub(super) fn check(tables: &Tables<'_>) -> Checked {
    for (key, row) in rows(tables, Table::Expiry) {
        let mut reader = KeyReader::new(&key);
        let (at, lsn) = reader.u64().zip(reader.lsn()).ok_or("an expiry has a broken key")?;
        let what = reader.u8();
        if what == Some(Expiring::Promise as u8) {
            ensure!(
                matches!(row, Row::PromiseName(_)),
                "expected a promise that expires at {at}, found {row:?}"
            );
            continue; // The key holds the record that created it, not an invocation.
        }
        let Some(invocation) = tables.invocation(lsn) else {
            return Err(format!("{lsn:?} is due for removal at {at}, but does not exist"));
        };
        let Status::Completed { completion, .. } = &invocation.status else {
            return Err(format!(
                "{lsn:?} is due for removal at {at}, but is {:?}",
                invocation.status
            ));
        };
        let is_right =
            what != Some(Expiring::All as u8) || completion.expires_at == Some(Timestamp(at));
        ensure!(is_right, "{lsn:?} is due for removal at {at}, not at {:?}", completion.expires_at);
    }
    Ok(())
}

/// What may be removed early has ended, and is listed once.
pub(super) fn check_early(tables: &Tables<'_>) -> Checked {
    let mut named = BTreeSet::new();
    for (key, _) in rows(tables, Table::Early) {
        let mut reader = KeyReader::new(&key);
        let (what, ended_at) =
            reader.u8().zip(reader.u64()).ok_or("an early-removal row has a broken key")?;
        let lsn = reader.lsn().ok_or("an early-removal row has a broken key")?;
        ensure!(named.insert(lsn), "{lsn:?} has two rows for early removal");
        let Some(invocation) = tables.invocation(lsn) else {
            return Err(format!("{lsn:?} may be removed early, but does not exist"));
        };
        let Status::Completed { at, .. } = &invocation.status else {
            return Err(format!("{lsn:?} may be removed early, but is {:?}", invocation.status));
        };
        ensure!(at.0 == ended_at, "{lsn:?} has ended at {at:?}, not at {ended_at}");
        let has_journal = invocation.journal_len > 0;
        let is_journal = what == Expiring::Journal as u8;
        ensure!(has_journal == is_journal, "{lsn:?}: the wrong kind {what} may be removed early");
    }
    Ok(())
}

/// An ended invocation and its journal are scheduled for removal.
pub(super) fn check_finished(
    tables: &Tables<'_>,
    lsn: Lsn,
    invocation: &Invocation,
    at: Timestamp,
    expires_at: Option<Timestamp>,
) -> Checked {
    let goes = |at: Timestamp, what: Expiring| tables.get(&expiry_key(at, lsn, what)).is_some();
    let retention = invocation.retention;
    ensure!(
        expires_at.is_some_and(|expires_at| goes(expires_at, Expiring::All)),
        "{lsn:?} has ended, but is never removed"
    );
    if invocation.journal_len > 0 && retention.journal_ms < retention.completion_ms {
        let until = at.after_ms(retention.journal_ms);
        ensure!(
            goes(until, Expiring::Journal),
            "{lsn:?} has ended, but its journal is never removed"
        );
    }
    check_may_go_early(tables, lsn, invocation, at, expires_at)
}

/// What ended under format 2 or later may be removed early, unless its result was promised.
fn check_may_go_early(
    tables: &Tables<'_>,
    lsn: Lsn,
    invocation: &Invocation,
    at: Timestamp,
    expires_at: Option<Timestamp>,
) -> Checked {
    let row = expires_at.and_then(|at| tables.get(&expiry_key(at, lsn, Expiring::All)));
    let what = if invocation.journal_len > 0 { Expiring::Journal } else { Expiring::All };
    if !matches!(row, Some(Row::Retained(_)))
        || (what == Expiring::All && purge::is_promised(invocation))
    {
        return Ok(());
    }
    let early = Table::Early.key().u8(what as u8).u64(at.0).lsn(lsn).done();
    ensure!(
        tables.get(&early).is_some(),
        "{lsn:?} has ended, but {what:?} has no row for early removal"
    );
    Ok(())
}

/// How many bytes an invocation retains, which is none until it has ended.
pub(super) fn retained_bytes(tables: &Tables<'_>, lsn: Lsn, invocation: &Invocation) -> u64 {
    let expires_at = invocation.status.completion().and_then(|end| end.expires_at);
    let Some(expires_at) = expires_at else { return 0 };
    let bytes = match tables.get(&expiry_key(expires_at, lsn, Expiring::All)) {
        Some(Row::Retained(bytes)) => bytes,
        Some(_) | None => ROWS_BYTES, // Format 1; the row is checked elsewhere.
    };
    bytes + purge::bytes_with_journal(invocation)
}

fn expiry_key(at: Timestamp, lsn: Lsn, what: Expiring) -> Key {
    Table::Expiry.key().u64(at.0).lsn(lsn).u8(what as u8).done()
}
