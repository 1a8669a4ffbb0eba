//! Two tables that record which notifications have arrived.
//!
//! Completions: key invocation and completion id; row either pending, or the journal index of the
//! answer. Signals: key invocation and signal; row the journal indexes of the latest deliveries.
//! After an invocation's signals, one more row with their total number and size.

use protocol::journal::{
    CompletionId, EntryIndex, NotificationId, NotificationKind, awaiting::Outcome,
    notification::SignalId,
};
use serde::{Deserialize, Serialize};

use super::{Key, Row, Table, Tables, row::expect_row};
use crate::{model::ids::Lsn, time::Timestamp};

/// The state of a command's completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompletionState {
    /// Not answered yet.
    Pending {
        /// The kind of answer that is expected.
        kind: NotificationKind,
        /// For a sleep, the time of the timer that completes it.
        timer: Option<Timestamp>,
    },
    /// Answered.
    Done(Delivery),
}

/// The position of a notification in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Journal index of its entry.
    pub index: EntryIndex,
    /// Whether the notification carries a failure.
    pub failed: bool,
}

/// The positions of the latest deliveries of a signal, one for each outcome, since only user code
/// knows which of several it consumes next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliveries {
    /// Index of the last entry that is not a failure.
    pub success: Option<EntryIndex>,
    /// Index of the last entry that is a failure.
    pub failure: Option<EntryIndex>,
}

/// How much of a journal is signals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalUse {
    /// Number of signal entries.
    pub entries: u32,
    /// Size of their names and payloads, in bytes.
    pub bytes: u64,
}

impl Deliveries {
    fn add(&mut self, Delivery { index, failed }: Delivery) {
        let last = if failed { &mut self.failure } else { &mut self.success };
        assert!(
            last.is_none_or(|last| last < index),
            "a signal is delivered at index {index}, and before that at {last:?}"
        );
        *last = Some(index);
    }

    fn outcome(self, seen: EntryIndex) -> Outcome {
        let is_news = |index: Option<EntryIndex>| index.is_some_and(|index| index >= seen);
        match (is_news(self.success), is_news(self.failure)) {
            (false, false) => Outcome::Pending,
            (true, false) => Outcome::Success,
            (false, true) => Outcome::Failure,
            (true, true) => Outcome::Either,
        }
    }
}

impl Tables<'_> {
    /// The state of a completion; `None` if no command requested it.
    pub fn completion(&self, invocation: Lsn, id: CompletionId) -> Option<CompletionState> {
        self.get(&completion_key(invocation, id)).map(|row| expect_row!(row, Completion))
    }

    pub(crate) fn put_completion(
        &mut self,
        invocation: Lsn,
        id: CompletionId,
        state: CompletionState,
    ) {
        self.put_of(invocation, completion_key(invocation, id), Row::Completion(state));
    }

    /// The latest deliveries of a signal; `None` before the first one.
    pub(crate) fn deliveries(&self, invocation: Lsn, signal: &SignalId) -> Option<Deliveries> {
        let row = self.get(&signal_key(invocation, signal))?;
        if let Row::Delivery(only) = row {
            let mut deliveries = Deliveries::default();
            deliveries.add(only);
            return Some(deliveries);
        }
        Some(expect_row!(row, Deliveries))
    }

    /// Format 1: only the last delivery is stored.
    pub(crate) fn put_delivery(&mut self, invocation: Lsn, signal: &SignalId, delivery: Delivery) {
        self.put_of(invocation, signal_key(invocation, signal), Row::Delivery(delivery));
    }

    pub(crate) fn add_delivery(&mut self, invocation: Lsn, signal: &SignalId, delivery: Delivery) {
        let mut deliveries = self.deliveries(invocation, signal).unwrap_or_default();
        deliveries.add(delivery);
        self.put_of(invocation, signal_key(invocation, signal), Row::Deliveries(deliveries));
    }

    pub(crate) fn signal_use(&self, invocation: Lsn) -> SignalUse {
        let row = self.get(&signal_use_key(invocation));
        row.map(|row| expect_row!(row, SignalUse)).unwrap_or_default()
    }

    pub(crate) fn put_signal_use(&mut self, invocation: Lsn, signal_use: SignalUse) {
        self.put_of(invocation, signal_use_key(invocation), Row::SignalUse(signal_use));
    }

    /// The outcome of `id`, for a suspended invocation that has seen the first `seen` entries.
    pub(crate) fn outcome(
        &self,
        invocation: Lsn,
        id: &NotificationId,
        seen: EntryIndex,
    ) -> Outcome {
        let deliveries = match id {
            NotificationId::Completion(id) => match self.completion(invocation, *id) {
                Some(CompletionState::Done(delivery)) => {
                    let mut deliveries = Deliveries::default();
                    deliveries.add(delivery);
                    Some(deliveries)
                }
                Some(CompletionState::Pending { .. }) | None => None,
            },
            NotificationId::Signal(signal) => self.deliveries(invocation, signal),
        };
        deliveries.map_or(Outcome::Pending, |deliveries| deliveries.outcome(seen))
    }

    /// Deletes all completion and signal rows of an invocation; returns the completions that were
    /// still pending.
    pub(crate) fn delete_notifications(
        &mut self,
        invocation: Lsn,
    ) -> Vec<(CompletionId, NotificationKind, Option<Timestamp>)> {
        let mut pending = Vec::new();
        let prefix = Table::Completion.key().lsn(invocation).done();
        let mut from = prefix.clone();
        while let Some((key, row)) = self.seek(&prefix, &from) {
            let mut reader = super::key::KeyReader::new(&key);
            let id = (reader.lsn(), reader.u32()).1.unwrap_or_default();
            if let CompletionState::Pending { kind, timer } = expect_row!(row, Completion) {
                pending.push((id, kind, timer));
            }
            self.delete(key.clone());
            from = successor(key);
        }
        let prefix = Table::Signal.key().lsn(invocation).done();
        let mut from = prefix.clone();
        while let Some((key, _)) = self.seek(&prefix, &from) {
            self.delete(key.clone());
            from = successor(key);
        }
        pending
    }
}

/// The first key after `key`.
fn successor(mut key: Key) -> Key {
    key.push(0);
    key
}

fn completion_key(invocation: Lsn, id: CompletionId) -> Key {
    Table::Completion.key().lsn(invocation).u32(id).done()
}

/// Sorts after all signals of the invocation.
fn signal_use_key(invocation: Lsn) -> Key {
    Table::Signal.key().lsn(invocation).u8(2).done()
}

fn signal_key(invocation: Lsn, signal: &SignalId) -> Key {
    let key = Table::Signal.key().lsn(invocation);
    match signal {
        SignalId::Index(index) => key.u8(0).u32(*index).done(),
        SignalId::Name(name) => key.u8(1).tail(name.as_bytes()).done(),
    }
}
