//! SQL over invocations, journals and state.
//!
//! This crate knows tables and queries, but not the runtime: it reads typed records through a
//! [`Source`], which the server implements over snapshots that block no writer and contain nothing
//! that a crash could revert.
//!
//! Reading order: [`source`] (what is read), [`tables`] (which columns there are), [`mod@column`],
//! `table`, `pushdown` (what of a query's conditions reaches the source), `scan` (pages become
//! batches), `catalog` (the tables, and PostgreSQL's about them), `text_form` (values as texts),
//! `of_query` (what its functions find of a query), `dialect` (PostgreSQL's SQL), `growth` (what values may take), [`engine`] (a query from its text to
//! a plan), [`query`] (its rows), [`error`], [`feed`] (changes as they happen). For clients:
//! [`output`] (JSON and Arrow), [`pgwire`]. Each of `catalog`, `dialect`, `engine`, `query` and
//! `pgwire` knows those before it.

mod abandoned;
mod arguments;
mod catalog;
pub mod column;
mod cooperation;
mod counting;
mod dialect;
pub mod engine;
pub mod error;
pub mod feed;
mod growth;
mod interval;
mod json;
mod of_query;
pub mod output;
pub mod pgwire;
mod pieces;
mod pushdown;
pub mod query;
mod running;
mod scan;
mod session_settings;
mod snapshot;
pub mod source;
mod table;
pub mod tables;
mod text_form;

pub use engine::{Engine, Settings};
pub use error::SqlError;
pub use pushdown::TimeRange;
pub use query::Client;
pub use source::{Rows, Scan, Source, Unavailable};

#[cfg(test)]
mod tests;
