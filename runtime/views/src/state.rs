//! State of virtual objects and workflows.

use bytes::Bytes;
use runtime_core::tables::Tables;

use crate::{
    View,
    page::{Budget, Cursor, Page, Within},
};

pub use runtime_core::tables::state::StateEntry as Entry;

/// Reads the value of one state key.
#[derive(Debug, Clone)]
pub struct One {
    /// Name of the service.
    pub service: String,
    /// Key of the object.
    pub key: String,
    /// The state key.
    pub state_key: Bytes,
}

impl View for One {
    type Output = Option<Bytes>;

    fn read(self, tables: &Tables<'_>) -> Option<Bytes> {
        tables.state(&self.service, &self.key, &self.state_key)
    }
}

/// Reads state by service, key and state key.
#[derive(Debug, Clone)]
pub struct List {
    /// The objects to include.
    pub within: Within,
    /// The cursor to continue from.
    pub after: Option<Cursor>,
    /// Limit on how much to read.
    pub budget: Budget,
}

impl View for List {
    type Output = Page<Entry>;

    fn read(self, tables: &Tables<'_>) -> Page<Entry> {
        let after = self.after.as_ref().map(Cursor::key);
        Page::of(tables.walk_state(&self.within, after, self.budget), |_, entry| entry)
    }
}
