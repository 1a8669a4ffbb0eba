//! Key: time, invocation, what. Row: nothing. Finished invocations in the order in which they may
//! be removed.

use super::{Key, Row, Table, Tables, key::KeyReader};
use crate::{Lsn, time::Timestamp};

/// What may be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Expiring {
    /// The journal alone.
    Journal = 1,
    /// Everything about the invocation.
    All = 2,
}

impl Tables<'_> {
    /// The first removal at or after `from`: its time, the invocation, and what goes.
    pub fn next_expiry(&self, from: Timestamp) -> Option<(Timestamp, Lsn, Expiring)> {
        let prefix = Table::Expiry.key().done();
        let (key, _) = self.seek(&prefix, &Table::Expiry.key().u64(from.0).done())?;
        let mut reader = KeyReader::new(&key);
        let (at, invocation, what) = (Timestamp(reader.u64()?), reader.lsn()?, reader.u8()?);
        let what = if what == Expiring::Journal as u8 { Expiring::Journal } else { Expiring::All };
        Some((at, invocation, what))
    }

    pub(crate) fn put_expiry(&mut self, at: Timestamp, invocation: Lsn, what: Expiring) {
        self.create(row_key(at, invocation, what), Row::Unit);
    }

    pub(crate) fn delete_expiry(&mut self, at: Timestamp, invocation: Lsn, what: Expiring) {
        self.delete(row_key(at, invocation, what));
    }
}

fn row_key(at: Timestamp, invocation: Lsn, what: Expiring) -> Key {
    Table::Expiry.key().u64(at.0).lsn(invocation).u8(what as u8).done()
}
