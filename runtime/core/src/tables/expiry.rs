//! Two tables of what may be removed.
//!
//! Expiry: key time, invocation, what; everything that ends by time, in that order. The row of an
//! invocation says how much it takes, that of a promise which one it is.
//! Early: key what, time of the end, invocation; row nothing. What may go before its time when room is
//! short: journals first, then invocations, oldest first. An invocation has one row at most.

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
    /// A promise of a workflow, if nothing of that workflow is there by then. In place of the
    /// invocation stands the lsn that made the promise.
    Promise = 3,
}

/// Names a promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromiseName {
    /// Name of the workflow service.
    pub workflow: String,
    /// Key of the workflow.
    pub key: String,
    /// Its own name.
    pub name: String,
}

/// What finished invocations take, for whoever watches the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retained {
    /// Bytes, estimated.
    pub bytes: u64,
    /// Whether some of it may be removed before its time. If not, all that is left was promised.
    pub may_shrink: bool,
}

/// What a finished invocation costs beside its journal and its result: its row and those of its
/// indexes. In bytes, estimated; also what one of format 1 was counted for.
pub(crate) const ROWS_BYTES: u64 = 1024;

impl Tables<'_> {
    /// The first removal at or after `from`: its time, the invocation, and what goes.
    pub fn next_expiry(&mut self, from: Timestamp) -> Option<(Timestamp, Lsn, Expiring)> {
        let prefix = Table::Expiry.key().done();
        let key = self.first_of(prefix, &Table::Expiry.key().u64(from.0).done())?;
        let mut reader = KeyReader::new(&key);
        let (at, invocation, what) = (Timestamp(reader.u64()?), reader.lsn()?, reader.u8()?);
        let what = [Expiring::Journal, Expiring::All, Expiring::Promise]
            .into_iter()
            .find(|known| *known as u8 == what)?;
        Some((at, invocation, what))
    }

    /// An invocation's end, and how many bytes it counts for beside its journal.
    pub(crate) fn put_expiry_of_all(&mut self, at: Timestamp, invocation: Lsn, bytes: u64) {
        self.create(row_key(at, invocation, Expiring::All), Row::Retained(bytes));
    }

    /// Takes it back; returns the bytes.
    pub(crate) fn take_expiry_of_all(&mut self, at: Timestamp, invocation: Lsn) -> u64 {
        let key = row_key(at, invocation, Expiring::All);
        let bytes = match self.get(&key) {
            // A row of format 1 says no more than that.
            Some(Row::Unit) => ROWS_BYTES,
            Some(row) => expect_row!(row, Retained),
            None => panic!("{invocation:?} is to be removed at {at:?} but has no row that says so"),
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
            panic!("a promise made at {lsn:?} ends at {at:?} but has no row that says so")
        };
        self.delete(key);
        *expect_row!(row, PromiseName)
    }

    /// What may go next if room is short.
    pub fn next_early(&mut self) -> Option<(Lsn, Expiring)> {
        let prefix = Table::Early.key().done();
        let key = self.first_of(prefix.clone(), &prefix)?;
        let mut reader = KeyReader::new(&key);
        let (what, _ended_at, invocation) = (reader.u8()?, reader.u64()?, reader.lsn()?);
        let is_journal = what == Expiring::Journal as u8;
        Some((invocation, if is_journal { Expiring::Journal } else { Expiring::All }))
    }

    /// What finished invocations take.
    pub fn retained(&self) -> Retained {
        let prefix = Table::Early.key().done();
        let may_shrink = self.seek(&prefix, &self.live.hints.floor(&prefix)).is_some();
        Retained { bytes: self.meta().retained_bytes, may_shrink }
    }

    /// `ended_at` is when the invocation ended.
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
