//! SQL over invocations, journals and state, for `psql` and other clients. So far this crate
//! contains only its contract.
//!
//! This crate will know about tables and queries, but not about the runtime: it reads rows through
//! a [`Source`] that the server implements over frozen layers, so that a query blocks no writer and
//! sees nothing that a crash could revert.

use bytes::Bytes;

/// The node is stopping and cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is stopping")]
pub struct Stopped;

/// Rows of one table in key order, as keys and values encoded as the table's documentation
/// describes.
pub type Rows = Vec<(Bytes, Bytes)>;

/// Provides rows; implemented by the server.
pub trait Source: Send + Sync {
    /// Number of partitions; each is read separately.
    fn partitions(&self) -> u16;

    /// Returns up to `limit` rows of a table, starting at key `from`.
    fn scan(
        &self,
        partition: u16,
        table: &str,
        from: &[u8],
        limit: usize,
    ) -> impl Future<Output = Result<Rows, Stopped>> + Send;
}
