//! Key: time, invocation, completion id. Row: the kind of timer.
//!
//! The table is the timer wheel: its first rows are the next to fire.

use super::{
    Key, Row, Table, Tables,
    key::KeyReader,
    row::expect_row,
    slots::Order,
    walk::{Budget, Range, Walk},
};
use crate::{
    model::timer::{Timer, TimerKey},
    time::Timestamp,
};

impl Tables<'_> {
    /// Timers from `from` through `until`, ordered by time, up to `limit`.
    pub fn timers_due(&mut self, from: Timestamp, until: Timestamp, limit: usize) -> Vec<TimerKey> {
        let prefix = Table::Timer.key().done();
        let mut due = Vec::new();
        let mut at = Table::Timer.key().u64(from.0).done();
        while due.len() < limit {
            let Some(key) = self.first_of(prefix.clone(), &at) else { break };
            let Some(timer) = decode_key(&key).filter(|timer| timer.at <= until) else { break };
            due.push(timer);
            at = key;
            at.push(0);
        }
        due
    }

    /// The time of the first timer at or after `from`.
    pub fn next_timer(&mut self, from: Timestamp) -> Option<Timestamp> {
        let prefix = Table::Timer.key().done();
        let key = self.first_of(prefix, &Table::Timer.key().u64(from.0).done())?;
        decode_key(&key).map(|timer| timer.at)
    }

    /// All timers, ordered by time.
    pub fn walk_timers(
        &self,
        order: Order,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, (TimerKey, Timer)> {
        let prefix = Table::Timer.key().done();
        let floor = self.live.hints.floor(&prefix);
        Walk::new(
            self,
            Range { from: floor, order, ..Range::of(prefix, after) },
            budget,
            |key, row| Some((decode_key(key)?, expect_row!(row, Timer))),
        )
    }

    pub(crate) fn timer(&self, timer: &TimerKey) -> Option<Timer> {
        self.get(&encode_key(timer)).map(|row| expect_row!(row, Timer))
    }

    pub(crate) fn put_timer(&mut self, timer: &TimerKey, row: Timer) {
        self.put_of(timer.invocation, encode_key(timer), Row::Timer(row));
    }

    pub(crate) fn delete_timer(&mut self, timer: &TimerKey) {
        self.delete(encode_key(timer));
    }
}

fn encode_key(timer: &TimerKey) -> Key {
    Table::Timer.key().u64(timer.at.0).lsn(timer.invocation).u32(timer.completion).done()
}

fn decode_key(key: &[u8]) -> Option<TimerKey> {
    let mut reader = KeyReader::new(key);
    Some(TimerKey {
        at: Timestamp(reader.u64()?),
        invocation: reader.lsn()?,
        completion: reader.u32()?,
    })
}
