//! SQL over invocations, journals and state, for `psql` and other clients. This room is empty but
//! for its contract.
//!
//! This crate will know tables and queries, and not the runtime: it reads rows through a
//! [`Source`] that the server implements over frozen layers, so that a query blocks no writer and
//! sees nothing that a crash could take back.

use bytes::Bytes;

/// The node cannot be read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is stopping")]
pub struct Stopped;

/// Rows of one table in key order, encoded as the table's documentation says.
pub type Rows = Vec<(Bytes, Bytes)>;

/// Gives rows; implemented by the server.
pub trait Source: Send + Sync {
    /// How many partitions there are; each is read by itself.
    fn partitions(&self) -> u16;

    /// Up to `limit` rows of a table from `from` on.
    fn scan(
        &self,
        partition: u16,
        table: &str,
        from: &[u8],
        limit: usize,
    ) -> impl Future<Output = Result<Rows, Stopped>> + Send;
}
