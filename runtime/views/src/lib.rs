//! Rows as plain values. Code that shows rows, today the admin API and the ingress, reads them
//! through a [`View`] and does not depend on tables, keys or layout.
//!
//! Reading order: [`text`] (status names, and cutting long texts), [`rfc3339`] (times), [`duration`], [`page`]
//! (how lists are read in turns), [`invocation`], [`result`] (how an invocation ended),
//! [`journal`], [`incident`] (what happened beside it), [`audit`]
//! (what operators asked for). Virtual objects and workflows: [`state`], [`object`], [`inbox`], [`promise`]. Work
//! in progress: [`timer`], [`outbox`], [`producer`], [`wait`] (what an invocation waits for), [`why`]
//! (what that waits for in turn, up to the causes, and what would help). From the registry: [`deployment`], [`service`]. As it happens: [`change`]. Idempotency keys have no rows of
//! their own, because an invocation's id is derived from its key.
//!
//! **Invariant:** views are pure and bounded: in one turn of a partition, a view reads no more rows
//! and bytes than its budget allows.

pub mod audit;
pub mod change;
pub mod deployment;
pub mod duration;
pub mod inbox;
pub mod incident;
pub mod invocation;
pub mod journal;
pub mod object;
pub mod origin;
pub mod outbox;
pub mod page;
pub mod producer;
pub mod promise;
pub mod result;
pub mod rfc3339;
pub mod service;
pub mod state;
pub mod text;
pub mod timer;
pub mod wait;
pub mod why;

use runtime_core::tables::Tables;

/// A query on the rows of one partition, run between two records.
pub trait View: Send + 'static {
    /// The result of the query.
    type Output: Send + 'static;

    /// Runs the query.
    fn read(self, tables: &Tables<'_>) -> Self::Output;
}

/// For the runtime's own parts, which do depend on the tables.
impl<F, T> View for F
where
    F: FnOnce(&Tables<'_>) -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = T;

    fn read(self, tables: &Tables<'_>) -> T {
        self(tables)
    }
}

#[cfg(test)]
mod tests;
