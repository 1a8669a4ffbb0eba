//! Batches as messages.

use std::sync::Arc;

use arrow_pg::{datatypes::arrow_schema_to_pg_fields, row_encoder::RowEncoder};
use datafusion::arrow::{
    array::{RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use futures::{Stream, StreamExt, stream};
use pgwire::{
    api::{portal::Format, results::FieldInfo},
    error::{ErrorInfo, PgWireError, PgWireResult},
    messages::data::DataRow,
};

use crate::error::SqlError;

/// Columns as messages describe them.
pub(super) fn fields(schema: &Schema, format: &Format) -> Result<Arc<Vec<FieldInfo>>, SqlError> {
    let columns = schema.fields().len();
    if let Format::Individual(formats) = format
        && formats.len() != columns
    {
        let what = format!("{columns} columns were asked for in {} formats", formats.len());
        return Err(SqlError::new("08P01", what));
    }
    let fields = arrow_schema_to_pg_fields(schema, format, None);
    fields.map(Arc::new).map_err(|error| SqlError::new("0A000", error.to_string()))
}

/// The rows of a query as messages.
pub(super) fn rows(
    batches: impl Stream<Item = Result<RecordBatch, SqlError>> + Send,
    fields: Arc<Vec<FieldInfo>>,
) -> impl Stream<Item = PgWireResult<DataRow>> + Send {
    batches.flat_map(move |batch| {
        let rows: Box<dyn Iterator<Item = PgWireResult<DataRow>> + Send> = match batch {
            Ok(batch) => {
                let mut encoder = RowEncoder::new(batch, Arc::clone(&fields));
                Box::new(std::iter::from_fn(move || encoder.next_row()))
            }
            Err(error) => Box::new(std::iter::once(Err(error.into()))),
        };
        stream::iter(rows)
    })
}

/// A single text under a name, as one batch.
pub(super) fn single(name: &str, value: &str) -> Result<RecordBatch, SqlError> {
    let schema = Schema::new(vec![Field::new(name, DataType::Utf8, true)]);
    let values = Arc::new(StringArray::from(vec![value]));
    RecordBatch::try_new(Arc::new(schema), vec![values])
        .map_err(|error| SqlError::new("XX000", error.to_string()))
}

impl From<SqlError> for PgWireError {
    fn from(error: SqlError) -> Self {
        let severity = if error.code == "57P01" { "FATAL" } else { "ERROR" };
        let mut info = ErrorInfo::new(severity.to_owned(), error.code.to_owned(), error.message);
        info.hint = error.hint;
        Self::UserError(Box::new(info))
    }
}
