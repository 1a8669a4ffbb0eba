//! Batches as JSON or as an Arrow stream, a piece at a time.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::{
    array::{RecordBatch, RecordBatchOptions},
    compute::cast,
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
    ipc::writer::StreamWriter,
    json::LineDelimitedWriter,
};
use futures::{Stream, StreamExt, stream};

use crate::{error::SqlError, pieces::pieces, query::Batches};

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
    let encoder = Encoder::new(format, batches.schema());
    let rows = batches.flat_map(|batch| stream::iter(pieces(batch)));
    stream::unfold(Some((rows, encoder)), |state| async move {
        let (mut pieces, encoder) = state?;
        let mut encoder = match encoder {
            Ok(encoder) => encoder,
            Err(error) => return Some((Err(error), None)),
        };
        let encoded = match pieces.next().await {
            Some(Ok(rows)) => encoder.rows(&rows),
            Some(Err(error)) => return Some((Err(error), None)),
            None => return Some((encoder.end(), None)),
        };
        let next = encoded.is_ok().then_some((pieces, Ok(encoder)));
        Some((encoded, next))
    })
}

/// What clients of any age understand: no views.
fn plain(ty: &DataType) -> DataType {
    #[expect(clippy::wildcard_enum_match_arm, reason = "others are no views")]
    match ty {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(element) => {
            let plain = plain(element.data_type());
            DataType::List(Arc::new(Field::clone(element).with_data_type(plain)))
        }
        other => other.clone(),
    }
}

enum Encoder {
    Json {
        /// Whether any row has been written.
        has_rows: bool,
    },
    Arrow {
        schema: SchemaRef,
        writer: Box<StreamWriter<Vec<u8>>>,
    },
}

/// The beginning and the end of JSON, and what goes between two rows.
const OPEN: &[u8] = b"{\"rows\":[";
const CLOSE: &[u8] = b"]}";

impl Encoder {
    fn new(format: Format, schema: &Schema) -> Result<Self, SqlError> {
        if format == Format::Json {
            return Ok(Self::Json { has_rows: false });
        }
        let fields = schema.fields().iter().map(|field| {
            let plain = plain(field.data_type());
            Field::new(field.name(), plain, field.is_nullable())
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let writer = StreamWriter::try_new(Vec::new(), &schema).map_err(broken)?;
        Ok(Self::Arrow { schema, writer: Box::new(writer) })
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<Bytes, SqlError> {
        match self {
            Self::Arrow { schema, writer } => {
                let columns = batch.columns().iter().zip(schema.fields());
                let columns = columns.map(|(column, field)| cast(column, field.data_type()));
                let columns = columns.collect::<Result<Vec<_>, _>>().map_err(broken)?;
                let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
                    .and_then(|batch| writer.write(&batch))
                    .map_err(broken)?;
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
            Self::Arrow { mut writer, .. } => {
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
