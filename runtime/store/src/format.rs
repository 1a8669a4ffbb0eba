//! A store's metadata, and which stores can be opened.
//!
//! The file is a redb database with two tables. `rows` maps keys to encoded rows (see the tables of
//! `runtime-core`). `meta` maps these names to numbers: `format`, `partition`, `partitions`,
//! `applied_lsn`, `row_bytes` and, if the data directory has a secret, the two halves of its
//! fingerprint.

use redb::TableDefinition;

/// Rows by key, as bytes.
pub(crate) const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");
/// Metadata of the store, by name.
pub(crate) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// Version of the layout above. Stores of other versions are refused; a migration would start here.
pub const STORE_FORMAT: u64 = 1;

pub(crate) const FORMAT: &str = "format";
pub(crate) const PARTITION: &str = "partition";
pub(crate) const PARTITIONS: &str = "partitions";
/// The data directory's fingerprint, in two halves; absent if the directory has none.
pub(crate) const DIRECTORY: [&str; 2] = ["directory_high", "directory_low"];
/// Total bytes of the keys and values in `rows`; absent in files of older versions until counted.
pub(crate) const ROW_BYTES: &str = "row_bytes";
pub(crate) const APPLIED_LSN: &str = "applied_lsn";
