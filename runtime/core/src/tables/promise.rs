//! Key: workflow, workflow key, promise name. Row: its result, or the invocations that wait for it.

use bytes::Bytes;
use protocol::{TerminalFailure, journal::CompletionId};
use serde::{Deserialize, Serialize};

use super::{
    Key, Row, Table, Tables,
    expiry::PromiseName,
    key::KeyReader,
    row::expect_row,
    walk::{Budget, Range, Walk, Within},
};
use crate::model::ids::Lsn;

/// A durable promise of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Promise {
    /// Not completed yet: the invocations that wait for it, each with the completion it waits on.
    Pending(Vec<(Lsn, CompletionId)>),
    /// Completed; the result never changes.
    Completed(Result<Bytes, TerminalFailure>),
}

impl Tables<'_> {
    /// A promise; `None` until an invocation waits for it or completes it.
    pub fn promise(&self, workflow: &str, key: &str, name: &str) -> Option<Promise> {
        self.get(&row_key(workflow, key, name)).map(|row| *expect_row!(row, Promise))
    }

    /// Size in bytes of a promise's row; 0 if there is none.
    pub(crate) fn promise_bytes(&self, workflow: &str, key: &str, name: &str) -> usize {
        self.size(&row_key(workflow, key, name))
    }

    /// Promises, ordered by workflow, key and name.
    pub fn walk_promises(
        &self,
        within: &Within,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, (PromiseName, Promise)> {
        let prefix = Table::Promise.key().within(within).done();
        Walk::new(self, Range::of(prefix, after), budget, |key, row| {
            let mut reader = KeyReader::new(key);
            let (workflow, key) = (reader.text()?, reader.text()?);
            let name = String::from_utf8(reader.tail().to_vec()).ok()?;
            Some((PromiseName { workflow, key, name }, *expect_row!(row, Promise)))
        })
    }

    pub(crate) fn promise_mut(
        &mut self,
        workflow: &str,
        key: &str,
        name: &str,
    ) -> Option<&mut Promise> {
        let row = self.get_mut(row_key(workflow, key, name))?;
        Some(expect_row!(row, Promise))
    }

    pub(crate) fn put_promise(&mut self, workflow: &str, key: &str, name: &str, promise: Promise) {
        self.put(row_key(workflow, key, name), Row::Promise(Box::new(promise)));
    }

    pub(crate) fn delete_promise(&mut self, workflow: &str, key: &str, name: &str) {
        self.delete(row_key(workflow, key, name));
    }

    pub(crate) fn delete_promises(&mut self, workflow: &str, key: &str) {
        let prefix = Table::Promise.key().bytes(workflow.as_bytes()).bytes(key.as_bytes()).done();
        let mut from = prefix.clone();
        while let Some((row_key, _)) = self.seek(&prefix, &from) {
            self.delete(row_key.clone());
            from = row_key;
            from.push(0);
        }
    }
}

fn row_key(workflow: &str, key: &str, name: &str) -> Key {
    let builder = Table::Promise.key().bytes(workflow.as_bytes()).bytes(key.as_bytes());
    builder.tail(name.as_bytes()).done()
}
