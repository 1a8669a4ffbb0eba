//! An operator restarts an invocation that has ended: as a new one, which begins with the input of
//! the old one, or with a longer prefix of its journal. Nothing in the prefix is carried out again:
//! when the handler repeats its commands, their results are there.
//!
//! The prefix are the entries up to one of them, and those results of its commands that arrived
//! later. Other signals than those in between belong to the old invocation: who sends them knows
//! only its id.

use std::collections::BTreeMap;

use protocol::{
    ServiceKind,
    journal::{
        CompletionId, Entry, EntryIndex, NotificationId, NotificationResult,
        notification::{CANCEL_SIGNAL, SignalId},
    },
    wire::{self, MessageType},
};

use super::{append, incident, invoke, pin, signal_room};
use crate::{
    context::Context,
    model::{
        ids::Lsn,
        incident::Happened,
        invocation::{Invocation, Invoke, Source, StatusKind},
        operation::{NotRestartable, Outcome, Restart},
        operator::Operator,
    },
    tables::completion::{CompletionState, Delivery},
};

/// How many entries are read for a prefix: all of them in one record.
const PREFIX_ENTRIES_MAX: EntryIndex = 1 << 16;

/// How many bytes of entries are read for it: two messages of the largest size. All of them may be
/// stored again by one record.
pub(crate) const PREFIX_BYTES_MAX: u64 = 64 << 20;

pub(super) fn of(
    cx: &mut Context<'_, '_>,
    lsn: Lsn,
    operator: &Operator,
    restart: &Restart,
) -> Outcome {
    let old = super::read(cx.tables, lsn);
    let kind = old.status.kind();
    if kind != StatusKind::Completed {
        return Outcome::Refused(kind);
    }
    if let Some(taken) = cx.tables.invocation_lsn(restart.id) {
        let is_same = super::read(cx.tables, taken).source == Source::Restarted { from: old.id };
        // The same request again.
        return if is_same {
            Outcome::Restarted(restart.id)
        } else {
            Outcome::NotRestartable(NotRestartable::Mistaken)
        };
    }
    let prefix = match allow(&old, restart).and_then(|()| prefix(cx, lsn, &old, restart.from)) {
        Ok(prefix) => prefix,
        Err(why) => return Outcome::NotRestartable(why),
    };
    let happened = Happened::RestartedAs { by: operator.clone(), id: restart.id };
    incident::keep(cx, lsn, happened);
    begin(cx, &old, restart, prefix);
    let happened = Happened::RestartedFrom { by: operator.clone(), id: old.id };
    incident::keep(cx, cx.lsn, happened);
    invoke::admit(cx, cx.lsn);
    Outcome::Restarted(restart.id)
}

/// Checks what the row of the old invocation tells.
fn allow(old: &Invocation, restart: &Restart) -> Result<(), NotRestartable> {
    if old.journal_len == 0 {
        return Err(NotRestartable::NoJournal);
    }
    if old.service_kind == ServiceKind::Workflow {
        return Err(NotRestartable::Workflow);
    }
    if restart.from >= old.journal_len {
        return Err(NotRestartable::NoSuchEntry { entries: old.journal_len });
    }
    // Without commands, nothing has been decided yet.
    let Some(pinned) = old.pin.filter(|_| restart.from > 0) else { return Ok(()) };
    if !pinned.protocol.has_random_seed() {
        return Err(NotRestartable::OldProtocol);
    }
    let protocol = restart.pin.map(|pin| pin.protocol);
    if protocol == Some(pinned.protocol) { Ok(()) } else { Err(NotRestartable::Mistaken) }
}

/// The entries of a prefix, in order.
fn prefix(
    cx: &Context<'_, '_>,
    lsn: Lsn,
    old: &Invocation,
    from: EntryIndex,
) -> Result<Vec<Entry>, NotRestartable> {
    let mut entries = Vec::new();
    let mut open: BTreeMap<CompletionId, EntryIndex> = BTreeMap::new();
    let mut bytes_left = PREFIX_BYTES_MAX;
    for index in 0..old.journal_len {
        let is_behind = index > from;
        if is_behind && open.is_empty() {
            break;
        }
        let Some(stored) = cx.tables.journal_entry(lsn, index) else {
            panic!("{:?}: entry {index} of {lsn:?} is missing", cx.lsn)
        };
        let entry = stored.entry;
        let left = bytes_left.checked_sub(entry.body.len() as u64);
        bytes_left = left.filter(|_| index < PREFIX_ENTRIES_MAX).ok_or(NotRestartable::TooLarge)?;
        if entry.ty.is_command() {
            if is_behind {
                continue;
            }
            let requested = wire::command::completions(&entry).into_iter().flatten();
            open.extend(requested.map(|completion| (completion, index)));
        } else {
            let completion = wire::notification::completion_id(&entry);
            let is_result = completion.and_then(|completion| open.remove(&completion)).is_some();
            if is_behind && !is_result {
                continue;
            }
        }
        entries.push(entry);
    }
    match open.into_values().min() {
        None => Ok(entries),
        Some(command) => Err(NotRestartable::Uncompleted { command }),
    }
}

/// Creates the new invocation, which has not been admitted yet.
fn begin(cx: &mut Context<'_, '_>, old: &Invocation, restart: &Restart, prefix: Vec<Entry>) {
    let id = restart.id;
    assert!(cx.owns(id), "{:?}: {id} begins here, but another partition owns it", cx.lsn);
    let mut prefix = prefix.into_iter();
    let Some(input) = prefix.next() else { panic!("{:?}: {id} begins with nothing", cx.lsn) };
    let has_more = prefix.len() > 0;
    let invoke = Invoke {
        id,
        target: old.target.clone(),
        service_kind: old.service_kind,
        handler_kind: old.handler_kind,
        source: Source::Restarted { from: old.id },
        input,
        start_at: None,
        // Whoever asks under the key still gets the result of the old one.
        idempotency_key: None,
        scope: old.scope.clone(),
        limit_key: old.limit_key.clone(),
        retention: old.retention,
        random_seed: if has_more { old.random_seed } else { restart.random_seed },
    };
    invoke::create(cx, &invoke, None);
    if let Some(pin) = restart.pin {
        pin::set(cx, cx.lsn, pin);
    }
    for entry in prefix {
        copy(cx, entry);
    }
}

/// Appends an entry of the prefix, as if it had come about here.
fn copy(cx: &mut Context<'_, '_>, entry: Entry) {
    let (lsn, ty) = (cx.lsn, entry.ty);
    let index = append::entry(cx, lsn, entry.clone());
    let invocation = super::expect(cx.tables, lsn);
    if ty.is_command() {
        invocation.commands += 1;
        if ty == MessageType::OUTPUT_COMMAND {
            invocation.output = Some(index);
        }
        return;
    }
    invocation.has_notifications = true;
    let Ok(notification) = wire::notification::decode(&entry) else {
        panic!("{lsn:?}: entry {index} is a {ty:?} that cannot be decoded")
    };
    let failed = matches!(notification.result, NotificationResult::Failure(_));
    let delivery = Delivery { index, failed };
    match notification.id {
        NotificationId::Completion(completion) => {
            cx.tables.put_completion(lsn, completion, CompletionState::Done(delivery));
        }
        NotificationId::Signal(signal) => {
            cx.tables.add_delivery(lsn, &signal, delivery);
            // There is room for as many as the old one has taken.
            if signal == SignalId::Index(CANCEL_SIGNAL) {
                signal_room::take_for_cancel(cx, lsn);
            } else {
                signal_room::take(cx, lsn, &signal, &notification.result);
            }
        }
    }
}
