//! What rows say, as plain values. Whoever shows rows reads them through a [`View`], and knows no tables,
//! no keys and no layout: admin and the ingress today.
//!
//! Reading order: [`text`] (words, and how much of a text is shown), [`rfc3339`] (times), [`page`] (how lists
//! are read in turns), [`invocation`], [`result`] (what an invocation has ended with), [`journal`]; what
//! belongs to virtual objects and workflows: [`state`], [`object`], [`inbox`], [`promise`]; what is under way:
//! [`timer`], [`outbox`], [`producer`], [`wait`] (why something does not get on); what the registry knows: [`deployment`], [`service`]. Idempotency keys have no rows
//! of their own: an invocation's id follows from its key.
//!
//! **Invariant:** pure, and bounded: a view reads no more rows and bytes in one turn of a partition than
//! it is told to.

pub mod deployment;
pub mod inbox;
pub mod invocation;
pub mod journal;
pub mod object;
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

use runtime_core::tables::Tables;

/// A look at the rows of one partition, between two records.
pub trait View: Send + 'static {
    /// What is seen.
    type Seen: Send + 'static;

    /// Looks.
    fn see(self, tables: &Tables<'_>) -> Self::Seen;
}

/// For the runtime's own parts, which know the tables.
impl<F, T> View for F
where
    F: FnOnce(&Tables<'_>) -> T + Send + 'static,
    T: Send + 'static,
{
    type Seen = T;

    fn see(self, tables: &Tables<'_>) -> T {
        self(tables)
    }
}

#[cfg(test)]
mod tests;
