//! Journals are complete, counted, and belong to invocations.

use std::collections::BTreeSet;

use protocol::wire;

use super::checked::{Checked, rows};
use crate::{
    model::{ids::Lsn, invocation::Invocation},
    tables::{Table, Tables, key::KeyReader},
};

/// No journal entry outlives its invocation.
pub(super) fn check(tables: &Tables<'_>) -> Checked {
    let mut known = None;
    for (key, _) in rows(tables, Table::Journal) {
        let lsn = KeyReader::new(&key).lsn().ok_or("a journal has a broken key")?;
        if known != Some(lsn) {
            ensure!(tables.invocation(lsn).is_some(), "a journal without its invocation {lsn:?}");
            known = Some(lsn);
        }
    }
    Ok(())
}

/// Every entry exists, their sizes and numbers match the row, and each completion occurs only once.
pub(super) fn check_entries(tables: &Tables<'_>, lsn: Lsn, invocation: &Invocation) -> Checked {
    let (mut bytes, mut commands) = (0, 0);
    let mut completions = BTreeSet::new();
    for index in 0..invocation.journal_len {
        let Some(stored) = tables.journal_entry(lsn, index) else {
            return Err(format!("{lsn:?}: entry {index} is missing"));
        };
        bytes += stored.entry.body.len() as u64;
        commands += u32::from(stored.entry.ty.is_command());
        let completion = if stored.entry.ty.is_notification() {
            wire::notification::completion_id(&stored.entry)
        } else {
            None
        };
        let is_new = completion.is_none_or(|completion| completions.insert(completion));
        ensure!(is_new, "{lsn:?}: {completion:?} is answered twice, at {index} again");
    }
    if invocation.journal_len > 0 {
        let (counted, said) = ((bytes, commands), (invocation.journal_bytes, invocation.commands));
        ensure!(counted == said, "{lsn:?}: bytes and commands are {counted:?}, not {said:?}");
    }
    Ok(())
}
