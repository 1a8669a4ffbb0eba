//! Durable promises of workflows.

use bytes::Bytes;
use protocol::TerminalFailure;
use runtime_core::tables::{Tables, promise::Promise as Row};

use crate::{
    View,
    page::{Budget, Cursor, Page, Within},
};

/// A promise that somebody waits for, or that is completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// Name of the workflow's service.
    pub workflow: String,
    /// Key of the workflow.
    pub key: String,
    /// Its own name.
    pub name: String,
    /// Where it is in its life.
    pub state: State,
}

/// Where a promise is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nobody has completed it.
    Pending {
        /// How many wait for it.
        waiting: usize,
    },
    /// It is completed, for good.
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

/// Looks at one promise; `None` before anybody has waited for it or completed it.
#[derive(Debug, Clone)]
pub struct One {
    /// Name of the workflow's service.
    pub workflow: String,
    /// Key of the workflow.
    pub key: String,
    /// Its own name.
    pub name: String,
}

impl View for One {
    type Seen = Option<Promise>;

    fn see(self, tables: &Tables<'_>) -> Option<Promise> {
        let Self { workflow, key, name } = self;
        let state = tables.promise(&workflow, &key, &name)?.into();
        Some(Promise { workflow, key, name, state })
    }
}

/// Looks at promises in the order of workflows, keys and names.
#[derive(Debug, Clone)]
pub struct List {
    /// Of which workflows.
    pub within: Within,
    /// Where to go on.
    pub after: Option<Cursor>,
    /// How much may be read.
    pub budget: Budget,
}

impl View for List {
    type Seen = Page<Promise>;

    fn see(self, tables: &Tables<'_>) -> Page<Promise> {
        let after = self.after.as_ref().map(Cursor::key);
        Page::of(tables.walk_promises(&self.within, after, self.budget), |_, (promise, row)| {
            let state = row.into();
            Promise { workflow: promise.workflow, key: promise.key, name: promise.name, state }
        })
    }
}
