//! The shell of the Partition machine: inbox, log, store, and the dispatch of effects.
//!
//! Reading order: [`handle`] (what the edges call), [`edges`] (what they are called with).

pub mod edges;
pub mod handle;

pub use edges::Edges;
pub use handle::{CallAnswer, Partitions, Stopped};
