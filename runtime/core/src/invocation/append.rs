//! Appending entries to the journal.

use protocol::journal::{Entry, EntryIndex};

use crate::{
    context::Context,
    effect::Effect,
    model::{
        ids::{AttemptRef, Lsn},
        invocation::Status,
    },
    tables::journal::JournalEntry,
};

/// Appends a notification and sends it to the running attempt, if there is one.
pub(super) fn notification(cx: &mut Context<'_, '_>, lsn: Lsn, entry: Entry) -> EntryIndex {
    let index = self::entry(cx, lsn, entry.clone());
    if let Status::Running { attempt } = super::expect(cx.tables, lsn).status {
        let attempt = AttemptRef { invocation: lsn, attempt };
        cx.emit(Effect::SendNotification { attempt, index, entry });
    }
    index
}

/// Appends an entry of any kind.
pub(crate) fn entry(cx: &mut Context<'_, '_>, lsn: Lsn, entry: Entry) -> EntryIndex {
    let at = cx.at;
    let record = cx.lsn;
    let invocation = super::expect(cx.tables, lsn);
    let (index, commands) = (invocation.journal_len, invocation.commands);
    assert!(
        commands <= index + 1,
        "{record:?}: {lsn:?} has {commands} commands among {index} entries"
    );
    invocation.journal_len += 1;
    invocation.journal_bytes += entry.body.len() as u64;
    invocation.last_entry_at = at;
    cx.tables.append_journal(lsn, index, JournalEntry { at, entry });
    index
}
