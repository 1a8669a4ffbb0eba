//! Notification rows belong to invocations that have not ended, and match their journals.

use protocol::{journal::NotificationResult, wire};

use super::checked::{Checked, rows};
use crate::{
    model::{
        ids::Lsn,
        invocation::StatusKind,
        timer::{Timer, TimerKey},
    },
    tables::{
        Row, Table, Tables,
        completion::{CompletionState, Deliveries, Delivery},
        key::KeyReader,
    },
};

pub(super) fn check(tables: &Tables<'_>) -> Checked {
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
