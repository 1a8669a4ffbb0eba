//! What a changed row means for those who follow changes without reading rows.

use bytes::Bytes;

use super::{Row, Table, index, key::KeyReader, state};
use crate::model::{
    ids::Lsn,
    invocation::{Invocation, StatusKind},
};

/// A row that has changed, decoded as far as followers need it.
#[derive(Debug, PartialEq, Eq)]
pub enum Changed<'a> {
    /// An invocation. Its row changes with almost every record, so a change need not be of interest.
    Invocation(Lsn, &'a Invocation),
    /// An invocation that entered this status, or that left it and came back.
    Entered(Lsn, StatusKind),
    /// A state entry; `is_set` unless it was removed.
    State {
        /// Name of the virtual object's or workflow's service.
        service: String,
        /// Key of the virtual object or workflow.
        key: String,
        /// The state key.
        state_key: Bytes,
        /// Whether it has a value now.
        is_set: bool,
    },
}

impl<'a> Changed<'a> {
    /// Decodes a changed row; `None` for removed invocations and for all other tables.
    pub fn of(key: &[u8], row: Option<&'a Row>) -> Option<Self> {
        match (*key.first()?, row) {
            (table, Some(Row::Invocation(row))) if table == Table::Invocation as u8 => {
                Some(Self::Invocation(KeyReader::new(key).lsn()?, row))
            }
            (table, Some(_)) if table == Table::IndexStatus as u8 => {
                let (kind, lsn) = index::indexed_by_status(key)?;
                Some(Self::Entered(lsn, kind))
            }
            (table, row) if table == Table::State as u8 => {
                let (service, key, state_key) = state::entry_of(key)?;
                Some(Self::State { service, key, state_key, is_set: row.is_some() })
            }
            _ => None,
        }
    }
}
