//! Two tables of data that may be removed.
//!
//! Expiry: key time, invocation and kind; everything that expires, in order of time. The row of an
//! invocation holds the number of bytes to release, the row of a promise its name. Early: key kind,
//! time of completion and invocation; row empty. What may be removed early when the space budget is
//! exceeded: first journals, then invocations, oldest first. An invocation has at most one row.

use serde::{Deserialize, Serialize};

use super::{Key, Row, Table, Tables, key::KeyReader, row::expect_row};
use crate::{model::ids::Lsn, time::Timestamp};

/// What may be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Expiring {
    /// The journal alone.
    Journal = 1,
    /// Everything about the invocation.
    All = 2,
    /// A promise of a workflow, if there is no invocation of that workflow by then. The key holds
    /// the LSN of the record that created the promise in place of the invocation.
    Promise = 3,
}

/// Identifies a promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromiseName {
    /// Name of the workflow service.
    pub workflow: String,
    /// Key of the workflow.
    pub key: String,
    /// Name of the promise within the workflow.
    pub name: String,
}

/// How much space finished invocations occupy, for monitoring the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retained {
    /// Estimated size in bytes.
    pub bytes: u64,
    /// Whether some of it may be removed early. If not, everything left is a promised result.
    pub may_shrink: bool,
}

/// Estimated size in bytes of a finished invocation's row and index rows, that is, without its
/// journal and result. Format 1 counted every invocation's rows as this many bytes.
pub(crate) const ROWS_BYTES: u64 = 1024;

impl Tables<'_> {
    /// The first scheduled removal at or after `from`: its time, the invocation, and what to
    /// remove.
    pub fn next_expiry(&mut self, from: Timestamp) -> Option<(Timestamp, Lsn, Expiring)> {
        let prefix = Table::Expiry.key().done();
        let key = self.first_of(prefix, &Table::Expiry.key().u64(from.0).done())?;
        let mut reader = KeyReader::new(&key);
        let (at, invocation, kind) = (Timestamp(reader.u64()?), reader.lsn()?, reader.u8()?);
        let what = [Expiring::Journal, Expiring::All, Expiring::Promise]
            .into_iter()
            .find(|known| *known as u8 == kind);
        // Taken for the end of the table, it would stop all removals behind it.
        assert!(what.is_some(), "{invocation:?} expires at {at:?} as the unknown kind {kind}");
        Some((at, invocation, what?))
    }

    /// Schedules the removal of an invocation and stores the bytes it counts for in addition to its
    /// journal.
    pub(crate) fn put_expiry_of_all(&mut self, at: Timestamp, invocation: Lsn, bytes: u64) {
        self.create(row_key(at, invocation, Expiring::All), Row::Retained(bytes));
    }

    /// Deletes the schedule and returns the bytes.
    pub(crate) fn take_expiry_of_all(&mut self, at: Timestamp, invocation: Lsn) -> u64 {
        let key = row_key(at, invocation, Expiring::All);
        let bytes = match self.get(&key) {
            // A row of format 1 holds no size.
            Some(Row::Unit) => ROWS_BYTES,
            Some(row) => expect_row!(row, Retained),
            None => panic!("{invocation:?} is due for removal at {at:?} but has no expiry row"),
        };
        self.delete(key);
        bytes
    }

    pub(crate) fn put_expiry(&mut self, at: Timestamp, invocation: Lsn, what: Expiring) {
        self.create(row_key(at, invocation, what), Row::Unit);
    }

    pub(crate) fn delete_expiry(&mut self, at: Timestamp, invocation: Lsn, what: Expiring) {
        self.delete(row_key(at, invocation, what));
    }

    pub(crate) fn put_expiry_of_promise(&mut self, at: Timestamp, lsn: Lsn, name: PromiseName) {
        self.create(row_key(at, lsn, Expiring::Promise), Row::PromiseName(Box::new(name)));
    }

    pub(crate) fn take_expiry_of_promise(&mut self, at: Timestamp, lsn: Lsn) -> PromiseName {
        let key = row_key(at, lsn, Expiring::Promise);
        let Some(row) = self.get(&key) else {
            panic!("a promise created at {lsn:?} expires at {at:?} but has no expiry row")
        };
        self.delete(key);
        *expect_row!(row, PromiseName)
    }

    /// What to remove next when the space budget is exceeded.
    pub fn next_early(&mut self) -> Option<(Lsn, Expiring)> {
        let prefix = Table::Early.key().done();
        let key = self.first_of(prefix.clone(), &prefix)?;
        let mut reader = KeyReader::new(&key);
        let (what, _ended_at, invocation) = (reader.u8()?, reader.u64()?, reader.lsn()?);
        let is_journal = what == Expiring::Journal as u8;
        Some((invocation, if is_journal { Expiring::Journal } else { Expiring::All }))
    }

    /// How much space finished invocations occupy.
    pub fn retained(&self) -> Retained {
        let prefix = Table::Early.key().done();
        let may_shrink = self.seek(&prefix, &self.live.hints.floor(&prefix)).is_some();
        Retained { bytes: self.meta().retained_bytes, may_shrink }
    }

    pub(crate) fn put_early(&mut self, what: Expiring, ended_at: Timestamp, invocation: Lsn) {
        self.create(early_key(what, ended_at, invocation), Row::Unit);
    }

    pub(crate) fn delete_early(&mut self, what: Expiring, ended_at: Timestamp, invocation: Lsn) {
        self.delete(early_key(what, ended_at, invocation));
    }
}

fn row_key(at: Timestamp, invocation: Lsn, what: Expiring) -> Key {
    Table::Expiry.key().u64(at.0).lsn(invocation).u8(what as u8).done()
}

fn early_key(what: Expiring, ended_at: Timestamp, invocation: Lsn) -> Key {
    Table::Early.key().u8(what as u8).u64(ended_at.0).lsn(invocation).done()
}
