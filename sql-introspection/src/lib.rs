//! SQL over invocations, journals and state.
//!
//! This crate knows tables and queries, but not the runtime: it reads typed records through a
//! [`Source`], which the server implements over snapshots that block no writer and contain nothing
//! that a crash could revert.
//!
//! Reading order: [`source`] (what is read), [`tables`] (which columns there are), [`mod@column`],
//! `table`, `pushdown` (what of a query's conditions reaches the source), `scan` (pages become
//! batches), [`engine`] (a query from its text to its rows), [`error`], [`feed`] (changes as they happen). For clients: [`output`]
//! (JSON and Arrow), [`pgwire`].

mod catalog;
pub mod column;
mod comparisons;
mod cooperation;
mod counting;
pub mod engine;
pub mod error;
mod existence;
pub mod feed;
mod json;
pub mod output;
pub mod pgwire;
mod pushdown;
mod scan;
mod snapshot;
pub mod source;
mod table;
pub mod tables;

pub use engine::{Client, Engine, Settings};
pub use error::SqlError;
pub use pushdown::TimeRange;
pub use source::{Rows, Scan, Source, Unavailable};

#[cfg(test)]
mod tests;
