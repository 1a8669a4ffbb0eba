//! What holds for the rows between any two records. Simulations and tests check it after each
//! record; it can also check a file in doubt. The checks are pure and report the first violation.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{
    HandlerKind,
    journal::{
        NotificationId, NotificationResult,
        awaiting::Outcome,
        notification::{CANCEL_SIGNAL, SignalId},
    },
    wire,
};

use crate::{
    invocation::purge,
    model::{
        ids::{Lsn, PartitionId},
        invocation::{Invocation, Status, StatusKind, WaitingFor},
        timer::{Timer, TimerKey},
    },
    size,
    tables::{
        Key, Row, Table, Tables,
        completion::{CompletionState, Deliveries, Delivery},
        expiry::{Expiring, ROWS_BYTES},
        incident,
        key::KeyReader,
        tally::Tally,
    },
    time::Timestamp,
};

type Checked = Result<(), String>;

/// Returns `$message` as an error unless `$holds`.
macro_rules! ensure {
    ($holds:expr, $($message:tt)+) => {
        if !$holds {
            return Err(format!($($message)+));
        }
    };
}

/// Checks all tables, which costs as much as reading them.
///
/// # Errors
/// Returns the first violation.
pub fn check(tables: &Tables<'_>) -> Checked {
    let mut statuses = BTreeSet::new();
    let mut retained = 0;
    for (key, row) in rows(tables, Table::Invocation) {
        let lsn = KeyReader::new(&key).lsn().ok_or("an invocation has a broken key")?;
        let Row::Invocation(invocation) = row else {
            return Err(format!("{lsn:?} is not an invocation: {row:?}"));
        };
        check_row(tables, lsn, &invocation)?;
        check_journal(tables, lsn, &invocation)?;
        statuses.insert((invocation.status.kind() as u8, lsn));
        if let Status::Completed { completion, .. } = &invocation.status
            && let Some(expires_at) = completion.expires_at
        {
            let bytes = match tables.get(&expiry_key(expires_at, lsn, Expiring::All)) {
                Some(Row::Retained(bytes)) => bytes,
                Some(_) | None => ROWS_BYTES, // Format 1; the row is checked elsewhere.
            };
            retained += bytes + purge::bytes_with_journal(&invocation);
        }
    }
    let counted = tables.meta().retained_bytes;
    ensure!(retained == counted, "finished invocations occupy {retained} bytes, not {counted}");
    for (key, _) in rows(tables, Table::IndexStatus) {
        let mut reader = KeyReader::new(&key);
        let indexed = reader.u8().zip(reader.lsn()).ok_or("an index has a broken key")?;
        ensure!(statuses.remove(&indexed), "{indexed:?} is in the index, but matches no row");
    }
    ensure!(statuses.is_empty(), "not indexed by status: {statuses:?}");
    check_journals(tables)?;
    check_incidents(tables)?;
    check_tallies(tables)?;
    check_objects(tables)?;
    check_timers(tables)?;
    check_notifications(tables)?;
    check_expiries(tables)?;
    check_early(tables)?;
    check_waiters(tables)?;
    check_outbox(tables)
}

/// Checks one invocation's row against the rows related to it, which takes a few reads regardless
/// of the length of its journal.
///
/// # Errors
/// Returns the first violation.
pub fn check_invocation(tables: &Tables<'_>, lsn: Lsn) -> Checked {
    match tables.invocation(lsn) {
        Some(invocation) => check_row(tables, lsn, &invocation),
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
        let mut reader = KeyReader::new(&key);
        let (kind, lsn) = reader.u8().zip(reader.lsn()).ok_or("an index has a broken key")?;
        if kind == StatusKind::Completed as u8 {
            return Ok(()); // The last kind in order.
        }
        let Some(invocation) = tables.invocation(lsn) else {
            return Err(format!("{lsn:?} is indexed as {kind}, but does not exist"));
        };
        let found = invocation.status.kind();
        ensure!(found as u8 == kind, "{lsn:?} is indexed as {kind}, but is {found:?}");
        if invocation.last_entry_at.max(invocation.modified_at) >= since {
            check_row(tables, lsn, &invocation)?;
        }
        from = key;
        from.push(0);
    }
    Ok(())
}

fn check_row(tables: &Tables<'_>, lsn: Lsn, invocation: &Invocation) -> Checked {
    let known = tables.invocation_lsn(invocation.id);
    ensure!(known == Some(lsn), "the id of {lsn:?} maps to {known:?}");
    let len = invocation.journal_len;
    let (last, next) = (len.checked_sub(1), len);
    let is_whole = last.is_none_or(|last| tables.journal_entry(lsn, last).is_some());
    ensure!(is_whole, "{lsn:?}: the last of {len} entries is missing");
    let is_more = tables.journal_entry(lsn, next).is_some();
    ensure!(!is_more, "{lsn:?} has more than {len} entries");
    check_attempts(tables, lsn, invocation)?;
    check_pause(lsn, invocation)?;
    let timer = |completion, at| tables.timer(&TimerKey { at, invocation: lsn, completion });
    match &invocation.status {
        Status::Waiting(WaitingFor::Start { at }) => {
            ensure!(timer(0, *at) == Some(Timer::Start), "{lsn:?} has no timer for its start");
        }
        Status::Waiting(WaitingFor::Retry { at }) => {
            ensure!(timer(0, *at) == Some(Timer::Retry), "{lsn:?} has no timer for its retry");
        }
        Status::Waiting(WaitingFor::Object { place }) => {
            let target = &invocation.target;
            let first = tables.first_in_inbox(&target.service, &target.key, *place);
            ensure!(first == Some((*place, lsn)), "{lsn:?} is not in the inbox of {target}");
        }
        Status::Waiting(WaitingFor::Notification { awaiting, seen }) => {
            let is_over = awaiting.is_resolved(&mut |id| tables.outcome(lsn, id, *seen));
            ensure!(!is_over, "{lsn:?} is suspended on a resolved tree: {awaiting:?} after {seen}");
        }
        Status::Running { .. } => {
            ensure!(invocation.running_at.is_some(), "{lsn:?} runs, but has never started");
        }
        Status::Paused => {
            ensure!(invocation.running_at.is_some(), "{lsn:?} is paused, but has never started");
            ensure!(invocation.pause.is_some(), "{lsn:?} is paused, but nobody knows why");
        }
        Status::Completed { at, completion } => {
            ensure!(completion.expires_at.is_some(), "{lsn:?} has ended, but has no expiry time");
            return check_finished(tables, lsn, invocation, *at, completion.expires_at);
        }
    }
    if invocation.handler_kind == HandlerKind::Exclusive && invocation.running_at.is_some() {
        let target = &invocation.target;
        let object = tables.object(&target.service, &target.key);
        let is_holder = object.is_some_and(|object| object.holder == lsn);
        ensure!(is_holder, "{lsn:?} runs without the lock of {target}: {object:?}");
    }
    Ok(())
}

/// Only what runs or is paused has a reason for a pause.
fn check_pause(lsn: Lsn, invocation: &Invocation) -> Checked {
    let kind = invocation.status.kind();
    let may_be = matches!(kind, StatusKind::Running | StatusKind::Paused);
    ensure!(
        may_be || invocation.pause.is_none(),
        "{lsn:?} is {kind:?}, but has {:?}",
        invocation.pause
    );
    Ok(())
}

/// The count of unsent attempts and the pending cancellation are not stale.
fn check_attempts(tables: &Tables<'_>, lsn: Lsn, invocation: &Invocation) -> Checked {
    let kind = invocation.status.kind();
    if invocation.unsent > 0 {
        // Any progress resets the count; a pause or the end of the invocation leaves it unchanged.
        let may_be = matches!(
            kind,
            StatusKind::Running
                | StatusKind::BackingOff
                | StatusKind::Paused
                | StatusKind::Completed
        );
        ensure!(may_be, "{lsn:?} has {} unsent attempts, but is {kind:?}", invocation.unsent);
        ensure!(
            invocation.last_failure.is_some(),
            "{lsn:?} has unsent attempts, but no stored failure"
        );
    }
    if invocation.cancel_pending && kind != StatusKind::Completed {
        ensure!(
            invocation.running_at.is_some(),
            "{lsn:?} has a pending cancellation, but has never started"
        );
        let cancel = NotificationId::Signal(SignalId::Index(CANCEL_SIGNAL));
        let is_there = tables.outcome(lsn, &cancel, 0) != Outcome::Pending;
        ensure!(is_there, "{lsn:?} has a pending cancellation, but no entry for it");
    }
    Ok(())
}

fn check_finished(
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

fn expiry_key(at: Timestamp, lsn: Lsn, what: Expiring) -> Key {
    Table::Expiry.key().u64(at.0).lsn(lsn).u8(what as u8).done()
}

/// Every entry exists, their sizes and numbers match the row, and each completion occurs only once.
fn check_journal(tables: &Tables<'_>, lsn: Lsn, invocation: &Invocation) -> Checked {
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

/// No journal entry outlives its invocation.
fn check_journals(tables: &Tables<'_>) -> Checked {
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

/// Invocations are counted by service and status.
fn check_tallies(tables: &Tables<'_>) -> Checked {
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

/// The latest incidents of each invocation are kept, and counted.
fn check_incidents(tables: &Tables<'_>) -> Checked {
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

/// The holder of a lock has started; each invocation in an inbox has the matching status; the
/// number of waiting invocations matches the count in the lock.
fn check_objects(tables: &Tables<'_>) -> Checked {
    let mut queued: BTreeMap<(Vec<u8>, Vec<u8>), u32> = BTreeMap::new();
    for (key, row) in rows(tables, Table::Inbox) {
        let mut reader = KeyReader::new(&key);
        let object = reader.bytes().zip(reader.bytes()).ok_or("an inbox has a broken key")?;
        let place = reader.lsn().ok_or("an inbox has a broken key")?;
        let Row::Lsn(lsn) = row else { return Err(format!("an inbox holds {row:?}")) };
        let status = tables.invocation(lsn).map(|invocation| invocation.status);
        let is_waiting = status == Some(Status::Waiting(WaitingFor::Object { place }));
        ensure!(is_waiting, "{lsn:?} is at {place:?} of an inbox, but is {status:?}");
        *queued.entry(object).or_default() += 1;
    }
    for (key, row) in rows(tables, Table::Object) {
        let mut reader = KeyReader::new(&key);
        let service = reader.bytes().ok_or("an object has a broken key")?;
        let name = (service, reader.tail().to_vec());
        let Row::Object(object) = row else { return Err(format!("a lock is {row:?}")) };
        let holder = tables.invocation(object.holder);
        let holds = holder.is_some_and(|holder| {
            holder.handler_kind == HandlerKind::Exclusive
                && holder.running_at.is_some()
                && holder.status.kind() != StatusKind::Completed
        });
        ensure!(holds, "{:?} holds a lock, but does not run", object.holder);
        let waiting = queued.remove(&name).unwrap_or(0);
        ensure!(waiting == object.queued, "{waiting} wait for {object:?}");
    }
    ensure!(queued.is_empty(), "there are inboxes without a lock: {queued:?}");
    Ok(())
}

/// Every timer is waited for by its invocation.
fn check_timers(tables: &Tables<'_>) -> Checked {
    for (key, row) in rows(tables, Table::Timer) {
        let mut reader = KeyReader::new(&key);
        let (at, lsn) = reader.u64().zip(reader.lsn()).ok_or("a timer has a broken key")?;
        let (at, completion) = (Timestamp(at), reader.u32().ok_or("a timer has a broken key")?);
        let status = tables.invocation(lsn).map(|invocation| invocation.status);
        let Row::Timer(timer) = row else { return Err(format!("a timer is {row:?}")) };
        let is_awaited = match timer {
            Timer::Start => status == Some(Status::Waiting(WaitingFor::Start { at })),
            Timer::Retry => status == Some(Status::Waiting(WaitingFor::Retry { at })),
            Timer::Sleep => matches!(
                tables.completion(lsn, completion),
                Some(CompletionState::Pending { timer, .. }) if timer == Some(at)
            ),
        };
        ensure!(
            is_awaited,
            "no invocation waits for the timer at {at:?}: {lsn:?} {completion} {status:?}"
        );
    }
    Ok(())
}

/// Notification rows belong to invocations that have not ended, and match their journals.
fn check_notifications(tables: &Tables<'_>) -> Checked {
    for table in [Table::Completion, Table::Signal] {
        for (key, row) in rows(tables, table) {
            let mut reader = KeyReader::new(&key);
            let lsn = reader.lsn().ok_or("a notification has a broken key")?;
            let Some(invocation) = tables.invocation(lsn) else {
                return Err(format!("{table:?} of {lsn:?}, which does not exist"));
            };
            let is_live = invocation.status.kind() != StatusKind::Completed;
            ensure!(
                is_live && invocation.has_notifications,
                "{table:?} of {lsn:?}, which has ended or has none"
            );
            if let Row::Completion(CompletionState::Pending { timer: Some(at), .. }) = &row {
                let completion = reader.u32().ok_or("a completion has a broken key")?;
                let timer = TimerKey { at: *at, invocation: lsn, completion };
                let is_set = tables.timer(&timer) == Some(Timer::Sleep);
                ensure!(is_set, "{lsn:?}: a sleep has no timer at {at:?}");
            }
            for delivery in deliveries(&row) {
                check_delivery(tables, lsn, delivery)?;
            }
            if let Row::SignalUse(signals) = &row {
                let (entries, len) = (signals.entries, invocation.journal_len);
                ensure!(entries <= len, "{lsn:?}: {entries} signals in a journal of {len} entries");
            }
        }
    }
    Ok(())
}

/// All deliveries that a row refers to.
fn deliveries(row: &Row) -> Vec<Delivery> {
    if let Row::Completion(CompletionState::Done(delivery)) | Row::Delivery(delivery) = row {
        return vec![*delivery];
    }
    let Row::Deliveries(Deliveries { success, failure }) = row else { return Vec::new() };
    let success = success.map(|index| Delivery { index, failed: false });
    success.into_iter().chain(failure.map(|index| Delivery { index, failed: true })).collect()
}

fn check_delivery(tables: &Tables<'_>, lsn: Lsn, delivery: Delivery) -> Checked {
    let Delivery { index, failed } = delivery;
    let entry = tables.journal_entry(lsn, index).map(|stored| stored.entry);
    let entry = entry.filter(|entry| entry.ty.is_notification());
    let Some(entry) = entry else {
        return Err(format!("{lsn:?}: there is no notification at {index}"));
    };
    let notification = wire::notification::decode(&entry)
        .map_err(|error| format!("{lsn:?}: the notification at {index}: {error}"))?;
    let is_failure = matches!(notification.result, NotificationResult::Failure(_));
    ensure!(is_failure == failed, "{lsn:?}: the notification at {index} has the other outcome");
    Ok(())
}

/// Only completed invocations, their journals and promises are scheduled for removal.
fn check_expiries(tables: &Tables<'_>) -> Checked {
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
fn check_early(tables: &Tables<'_>) -> Checked {
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

/// Every waiter waits for an invocation that has not ended, or for a result that is being passed
/// on.
fn check_waiters(tables: &Tables<'_>) -> Checked {
    for (key, row) in rows(tables, Table::Waiter) {
        let lsn = KeyReader::new(&key).lsn().ok_or("a waiter has a broken key")?;
        let invocation = tables.invocation(lsn);
        let is_live = invocation.is_some_and(|invocation| {
            invocation.has_waiters && invocation.status.kind() != StatusKind::Completed
        });
        let has_result = tables.shared_result(lsn).is_some();
        ensure!(is_live != has_result, "{row:?} waits for {lsn:?}, which has ended, or has not");
    }
    Ok(())
}

/// Messages to one receiver have no gaps, and the last one has the last sequence number that was
/// sent.
fn check_outbox(tables: &Tables<'_>) -> Checked {
    let mut last: BTreeMap<PartitionId, u64> = BTreeMap::new();
    for (to, sequence, _) in tables.outgoing((PartitionId(0), 0), usize::MAX) {
        let before = last.insert(to, sequence);
        let follows = before.is_none_or(|before| before + 1 == sequence);
        ensure!(follows, "message {sequence} to {to:?} follows {before:?}");
    }
    for (to, sequence) in last {
        let sent = tables.meta().sent;
        let sent = sent.iter().find(|(known, _)| *known == to).map(|(_, sent)| *sent);
        ensure!(sent == Some(sequence), "the last message to {to:?} is {sequence}, not {sent:?}");
    }
    Ok(())
}

fn rows(tables: &Tables<'_>, table: Table) -> Vec<(Key, Row)> {
    let prefix = table.key().done();
    tables.scan(&prefix, &prefix, usize::MAX)
}
