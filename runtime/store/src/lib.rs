//! A partition's rows at rest: one redb file, written at checkpoints, underneath the rows in
//! memory.
//!
//! The partition applies records straight into a live overlay. A checkpoint freezes that overlay
//! ([`Store::freeze`]), writes it together with its `applied_lsn` in one durable transaction
//! ([`Checkpoint::run`], on any thread), and releases it ([`Store::install`]). Readers see the
//! frozen overlays and the file below them as one value, [`Base`]; a reader that outlives the turn
//! also freezes the live overlay ([`Store::snapshot`]).
//!
//! A backup reads a [`StoreSnapshot`] (`copy`), and a restore fills a file with its rows
//! ([`StoreFill`], `fill`).
//!
//! **Contract:** the caller runs a checkpoint only once everything in it is durable in the log, so
//! the file is never ahead of the log. Reads cannot fail: a file that cannot be read stops the
//! process. A full disk makes a checkpoint wait (`patient`); any other error ends the process.

mod base;
mod checked;
mod checkpoint;
mod compact;
pub mod copy;
mod engine;
pub mod error;
pub mod fill;
mod format;
mod patient;
#[cfg(any(test, feature = "simulation"))]
pub mod sim_backend;

pub use base::Base;
pub use checkpoint::{Checkpoint, CheckpointDone};
pub use copy::{CopyError, StoreSnapshot, StoreSource, StoredRow};
pub use engine::{DiskSpace, Store, StoreName};
pub use error::{CheckpointError, OpenError};
pub use fill::{FillError, StoreFill};
pub use format::STORE_FORMAT;

#[cfg(test)]
mod tests;
