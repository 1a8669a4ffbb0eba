//! Journals are complete, counted, and belong to invocations.

use std::collections::BTreeSet;

use protocol::{
    journal::{Entry, EntryIndex},
    wire,
};

use super::checked::{Checked, rows};
use crate::{
    model::{
        ids::Lsn,
        invocation::{Invocation, StatusKind},
    },
    tables::{
        Table, Tables,
        completion::{CompletionState, Delivery},
        key::KeyReader,
    },
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

/// Every entry exists, their sizes and numbers match the row, each completion occurs only once, and
/// what has not ended knows of all of them.
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
        if invocation.status.kind() != StatusKind::Completed {
            check_completions(tables, lsn, index, &stored.entry)?;
        }
    }
    if invocation.journal_len > 0 {
        let (counted, said) = ((bytes, commands), (invocation.journal_bytes, invocation.commands));
        ensure!(counted == said, "{lsn:?}: bytes and commands are {counted:?}, not {said:?}");
    }
    Ok(())
}

/// The completions that a command has requested, and the one that a notification is, have rows.
fn check_completions(tables: &Tables<'_>, lsn: Lsn, index: EntryIndex, entry: &Entry) -> Checked {
    if entry.ty.is_command() {
        for completion in wire::command::completions(entry).into_iter().flatten() {
            let known = tables.completion(lsn, completion);
            ensure!(
                known.is_some(),
                "{lsn:?}: nothing is known of {completion}, requested at {index}"
            );
        }
    } else if let Some(completion) = wire::notification::completion_id(entry) {
        let known = tables.completion(lsn, completion);
        let is_there = matches!(
            known,
            Some(CompletionState::Done(Delivery { index: at, .. })) if at == index
        );
        ensure!(is_there, "{lsn:?}: {completion} is answered at {index}, but known as {known:?}");
    }
    Ok(())
}
