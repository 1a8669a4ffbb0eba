//! Batches in pieces that can be sent: each of many rows may name the same large value.

use datafusion::arrow::array::RecordBatch;

use crate::{error::SqlError, growth::sizes};

/// How much is encoded at once, in bytes, unless a single row has more.
const PIECE_BYTES: u64 = 1 << 20;
/// How large a row may be, in bytes: twice the largest value that can be stored. Nothing interrupts
/// its encoding.
const ROW_BYTES_MAX: u64 = 64 << 20;

/// The rows of a batch, a few at a time.
pub(crate) fn pieces(
    batch: Result<RecordBatch, SqlError>,
) -> impl Iterator<Item = Result<RecordBatch, SqlError>> + Send {
    let mut rest = vec![batch];
    std::iter::from_fn(move || {
        loop {
            let batch = match rest.pop()? {
                Ok(batch) => batch,
                Err(error) => return Some(Err(error)),
            };
            let rows = batch.num_rows();
            let bytes: u64 = batch.columns().iter().map(|column| sizes::of(column)).sum();
            if bytes <= PIECE_BYTES || (rows == 1 && bytes <= ROW_BYTES_MAX) {
                return Some(Ok(batch));
            }
            if rows <= 1 {
                rest.clear();
                return Some(Err(too_large(bytes)));
            }
            rest.push(Ok(batch.slice(rows / 2, rows - rows / 2)));
            rest.push(Ok(batch.slice(0, rows / 2)));
        }
    })
}

fn too_large(bytes: u64) -> SqlError {
    let what = format!("a row has {bytes} bytes, and may have {ROW_BYTES_MAX} to be sent");
    SqlError::new("54000", what).hint("select fewer columns, or parts of them")
}
