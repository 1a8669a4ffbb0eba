//! The shell around the Partition machine: it stamps, logs, applies and dispatches, and makes no
//! decisions.
//!
//! ```text
//!   edges --propose--> Inbox --drain all--> Driver::turn: stamp, apply in memory, append to the log
//!     ^                  ^                                          |
//!     |                  |  refused starts, acknowledgements        | durable
//!     +--- Dispatch <----+------------------------------------------+
//! ```
//!
//! Reading order: [`handle`] and [`requests`] (what the edges call), [`edges`] (what is called on
//! them), [`clock`], `peers`, `lanes` and `inbox` (what waits for the next turn), [`driver`] (the
//! turn), [`health`], [`row_snapshot`] (rows held for longer than a turn), `dispatch` (effects to
//! edges), `waiters` (requests that wait for an answer), `durable` (what the log has acknowledged),
//! [`observer`] (notifications of what is stored), [`checkpoint`], [`cut`] (a copy of a running
//! node), [`node`] (recovery and the threads).
//!
//! **Invariant:** durable before visible. Effects leave only from the log's callback, after the
//! records that caused them are on disk. The driver never waits for an edge; what an edge cannot
//! take remains an obligation in the rows.

pub mod budget;
pub mod checkpoint;
pub mod clock;
pub mod cut;
mod dispatch;
pub mod driver;
mod durable;
pub mod edges;
pub mod handle;
pub mod health;
mod inbox;
mod lanes;
pub mod node;
pub mod observer;
mod peers;
pub mod random;
pub mod requests;
pub mod row_snapshot;
#[cfg(feature = "simulation")]
mod simulation;
mod sync;
mod waiters;

pub use clock::{Clock, NodeClock};
pub use cut::{Cut, CutError, CutSource};
pub use driver::Settings;
pub use edges::{Edges, Full};
pub use handle::{Partitions, Stopped};
pub use health::PartitionHealth;
pub use node::{Node, StartError};
pub use observer::{DurableBatch, Observer, RowChange};
pub use requests::{Accepted, CallAnswer, DeploymentOffer, RequestError};
pub use row_snapshot::RowSnapshot;

#[cfg(all(test, feature = "loom"))]
mod loom_tests;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
