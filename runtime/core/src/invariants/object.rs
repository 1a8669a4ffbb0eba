//! The holder of a lock has started; each invocation in an inbox has the matching status; the
//! number of waiting invocations matches the count in the lock.

use std::collections::BTreeMap;

use protocol::HandlerKind;

use super::checked::{Checked, rows};
use crate::{
    model::invocation::{Status, StatusKind, WaitingFor},
    tables::{Row, Table, Tables, key::KeyReader},
};

pub(super) fn check(tables: &Tables<'_>) -> Checked {
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
