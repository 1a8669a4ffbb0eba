//! Durable promises of workflows.

use bytes::Bytes;
use protocol::TerminalFailure;
use runtime_core::tables::{Tables, promise::Promise as Row};

use crate::{
    View,
    page::{Budget, Cursor, Page, Within},
};

/// A promise that is awaited or completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// Name of the workflow's service.
    pub workflow: String,
    /// Key of the workflow.
    pub key: String,
    /// The promise's own name.
    pub name: String,
    /// Whether it is completed.
    pub state: State,
}

/// The state of a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It has not been completed.
    Pending {
        /// How many handlers wait for it.
        waiting: usize,
    },
    /// It is completed, which is final.
    Completed(Result<Bytes, TerminalFailure>),
}

impl From<Row> for State {
    fn from(row: Row) -> Self {
        match row {
            Row::Pending(waiting) => Self::Pending { waiting: waiting.len() },
            Row::Completed(result) => Self::Completed(result),
        }
    }
}

/// Reads one promise. `None` if no handler has awaited or completed it.
#[derive(Debug, Clone)]
pub struct One {
    /// Name of the workflow's service.
    pub workflow: String,
    /// Key of the workflow.
    pub key: String,
    /// The promise's own name.
    pub name: String,
}

impl View for One {
    type Output = Option<Promise>;

    fn read(self, tables: &Tables<'_>) -> Option<Promise> {
        let Self { workflow, key, name } = self;
        let state = tables.promise(&workflow, &key, &name)?.into();
        Some(Promise { workflow, key, name, state })
    }
}

/// Reads promises by workflow, key and name.
#[derive(Debug, Clone)]
pub struct List {
    /// The workflows to include.
    pub within: Within,
    /// The cursor to continue from.
    pub after: Option<Cursor>,
    /// Limit on how much to read.
    pub budget: Budget,
}

impl View for List {
    type Output = Page<Promise>;

    fn read(self, tables: &Tables<'_>) -> Page<Promise> {
        let after = self.after.as_ref().map(Cursor::key);
        Page::of(tables.walk_promises(&self.within, after, self.budget), |_, (promise, row)| {
            let state = row.into();
            Promise { workflow: promise.workflow, key: promise.key, name: promise.name, state }
        })
    }
}
