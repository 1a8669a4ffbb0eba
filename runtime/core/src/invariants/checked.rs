//! What all checks share.

use crate::tables::{Key, Row, Table, Tables};

/// Returns `$message` as an error unless `$holds`.
macro_rules! ensure {
    ($holds:expr, $($message:tt)+) => {
        if !$holds {
            return Err(format!($($message)+));
        }
    };
}

/// Nothing, or the first violation.
pub(super) type Checked = Result<(), String>;

pub(super) fn rows(tables: &Tables<'_>, table: Table) -> Vec<(Key, Row)> {
    let prefix = table.key().done();
    tables.scan(&prefix, &prefix, usize::MAX)
}
