//! Batches as JSON or as an Arrow stream, a piece at a time.

use bytes::Bytes;
use datafusion::arrow::{
    array::RecordBatch, error::ArrowError, ipc::writer::StreamWriter, json::LineDelimitedWriter,
};
use futures::{Stream, StreamExt, stream};

use crate::{engine::Batches, error::SqlError};

/// How rows are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An object with an array of rows.
    Json,
    /// An Arrow IPC stream.
    Arrow,
}

/// Encodes the rows of a query. Nothing comes after an error.
pub fn encode(
    batches: Batches,
    format: Format,
) -> impl Stream<Item = Result<Bytes, SqlError>> + Send {
    let encoder = match format {
        Format::Json => Ok(Encoder::Json { has_rows: false }),
        Format::Arrow => StreamWriter::try_new(Vec::new(), batches.schema())
            .map(|writer| Encoder::Arrow(Box::new(writer)))
            .map_err(broken),
    };
    stream::unfold(Some((batches, encoder)), |state| async move {
        let (mut batches, encoder) = state?;
        let mut encoder = match encoder {
            Ok(encoder) => encoder,
            Err(error) => return Some((Err(error), None)),
        };
        let piece = match batches.next().await {
            Some(Ok(batch)) => encoder.rows(&batch),
            Some(Err(error)) => return Some((Err(error), None)),
            None => return Some((encoder.end(), None)),
        };
        let next = piece.is_ok().then_some((batches, Ok(encoder)));
        Some((piece, next))
    })
}

enum Encoder {
    Json {
        /// Whether any row has been written.
        has_rows: bool,
    },
    Arrow(Box<StreamWriter<Vec<u8>>>),
}

/// The beginning and the end of JSON, and what goes between two rows.
const OPEN: &[u8] = b"{\"rows\":[";
const CLOSE: &[u8] = b"]}";

impl Encoder {
    fn rows(&mut self, batch: &RecordBatch) -> Result<Bytes, SqlError> {
        match self {
            Self::Arrow(writer) => {
                writer.write(batch).map_err(broken)?;
                Ok(std::mem::take(writer.get_mut()).into())
            }
            Self::Json { has_rows } => {
                let mut writer = LineDelimitedWriter::new(Vec::new());
                writer.write(batch).and_then(|()| writer.finish()).map_err(broken)?;
                let lines = writer.into_inner();
                let mut json = Vec::with_capacity(lines.len() + OPEN.len());
                // Within a row, line breaks are escaped.
                for row in lines.split(|byte| *byte == b'\n').filter(|row| !row.is_empty()) {
                    json.extend_from_slice(if *has_rows { b"," } else { OPEN });
                    json.extend_from_slice(row);
                    *has_rows = true;
                }
                Ok(json.into())
            }
        }
    }

    fn end(self) -> Result<Bytes, SqlError> {
        match self {
            Self::Arrow(mut writer) => {
                writer.finish().map_err(broken)?;
                Ok(std::mem::take(writer.get_mut()).into())
            }
            Self::Json { has_rows: true } => Ok(CLOSE.into()),
            Self::Json { has_rows: false } => Ok([OPEN, CLOSE].concat().into()),
        }
    }
}

/// A value that has no form in the chosen format.
fn broken(error: ArrowError) -> SqlError {
    SqlError::new("0A000", format!("the rows cannot be encoded: {error}"))
        .hint("cast the columns to text, or use ->> instead of ->")
}
