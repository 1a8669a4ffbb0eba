//! Every timer is waited for by its invocation.

use super::checked::{Checked, rows};
use crate::{
    model::{
        invocation::{Status, WaitingFor},
        timer::Timer,
    },
    tables::{Row, Table, Tables, completion::CompletionState, key::KeyReader},
    time::Timestamp,
};

pub(super) fn check(tables: &Tables<'_>) -> Checked {
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
