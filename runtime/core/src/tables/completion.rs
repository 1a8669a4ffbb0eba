//! Two tables that tell whether a notification has arrived.
//!
//! Completions: key invocation and completion id; row pending, or where the answer stands.
//! Signals: key invocation and signal; row where the last delivery stands.

use protocol::journal::{
    CompletionId, EntryIndex, NotificationId, NotificationKind, awaiting::Outcome,
    notification::SignalId,
};
use serde::{Deserialize, Serialize};

use super::{Key, Row, Table, Tables, row::expect_row};
use crate::{Lsn, time::Timestamp};

/// What is known of a command's completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompletionState {
    /// Not answered yet.
    Pending {
        /// Which kind of answer is expected.
        kind: NotificationKind,
        /// The timer that will answer it, for a sleep.
        timer: Option<Timestamp>,
    },
    /// Answered.
    Done(Delivery),
}

/// Where a notification stands in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Index of the entry.
    pub index: EntryIndex,
    /// Whether it brought a failure.
    pub failed: bool,
}

impl Tables<'_> {
    /// What is known of a completion; `None` when no command asked for it.
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

    pub(crate) fn put_signal(&mut self, invocation: Lsn, signal: &SignalId, delivery: Delivery) {
        self.put_of(invocation, signal_key(invocation, signal), Row::Delivery(delivery));
    }

    /// What a suspended invocation that has seen the first `seen` entries may learn of `id`.
    pub(crate) fn outcome(
        &self,
        invocation: Lsn,
        id: &NotificationId,
        seen: EntryIndex,
    ) -> Outcome {
        let delivery = match id {
            NotificationId::Completion(id) => match self.completion(invocation, *id) {
                Some(CompletionState::Done(delivery)) => Some(delivery),
                Some(CompletionState::Pending { .. }) | None => None,
            },
            NotificationId::Signal(signal) => {
                self.get(&signal_key(invocation, signal)).map(|row| expect_row!(row, Delivery))
            }
        };
        match delivery.filter(|delivery| delivery.index >= seen) {
            None => Outcome::Pending,
            Some(Delivery { failed: true, .. }) => Outcome::Failure,
            Some(Delivery { failed: false, .. }) => Outcome::Success,
        }
    }

    /// Forgets all completions and signals of an invocation; returns what was still pending.
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

fn signal_key(invocation: Lsn, signal: &SignalId) -> Key {
    let key = Table::Signal.key().lsn(invocation);
    match signal {
        SignalId::Index(index) => key.u8(0).u32(*index).done(),
        SignalId::Name(name) => key.u8(1).tail(name.as_bytes()).done(),
    }
}
