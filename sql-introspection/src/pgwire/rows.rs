//! Batches as messages.

use std::sync::Arc;

use arrow_pg::{
    datatypes::{PG_OID_ALIAS_KEY, arrow_schema_to_pg_fields},
    row_encoder::RowEncoder,
};
use datafusion::{
    arrow::{
        array::{
            Array, ArrayRef, DictionaryArray, Int32Array, RecordBatch, RecordBatchOptions,
            StringArray,
        },
        datatypes::{DataType, Field, Schema},
        error::ArrowError,
    },
    common::DataFusionError,
};
use futures::{Sink, SinkExt, Stream, StreamExt, stream};
use pgwire::{
    api::{
        Type,
        portal::Format,
        results::{FieldFormat, FieldInfo, Tag},
    },
    error::{ErrorInfo, PgWireError, PgWireResult},
    messages::{PgWireBackendMessage, data::DataRow, response::CommandComplete},
};

use crate::{
    dialect::names, error::SqlError, interval::of_durations, pieces::pieces, text_form::texts,
};

/// Columns as messages describe them.
pub(super) fn fields(schema: &Schema, format: &Format) -> Result<Arc<Vec<FieldInfo>>, SqlError> {
    let columns = schema.fields().len();
    if let Format::Individual(formats) = format
        && formats.len() != columns
    {
        let what = format!("{columns} columns were asked for in {} formats", formats.len());
        return Err(SqlError::new("08P01", what));
    }
    let named = schema.fields().iter().map(|field| {
        let mut named = Field::clone(field).with_name(column_name(field.name()));
        // An oid that was cast to text keeps its mark.
        if *field.data_type() != DataType::Int32 {
            named.metadata_mut().remove(PG_OID_ALIAS_KEY);
        }
        named
    });
    let named = Schema::new(named.collect::<Vec<_>>());
    let fields = arrow_schema_to_pg_fields(&named, format, None);
    fields.map(Arc::new).map_err(|error| SqlError::new("0A000", error.to_string()))
}

/// What PostgreSQL calls a column that has no name of its own: the engine calls it by the whole
/// expression.
fn column_name(expression: &str) -> &str {
    let expression = names::shown(expression);
    let Some((function, _)) = expression.split_once('(') else { return expression };
    let is_word =
        !function.is_empty() && function.chars().all(|it| it.is_ascii_alphanumeric() || it == '_');
    match is_word && expression.ends_with(')') {
        // The engine writes a literal as its type around its value.
        true if function.starts_with(|it: char| it.is_ascii_uppercase()) => "?column?",
        true => function,
        false => expression,
    }
}

/// The rows of a query as messages.
pub(super) fn rows(
    batches: impl Stream<Item = Result<RecordBatch, SqlError>> + Send,
    fields: Arc<Vec<FieldInfo>>,
) -> impl Stream<Item = PgWireResult<DataRow>> + Send {
    let few = batches.flat_map(|batch| stream::iter(pieces(batch)));
    let encoded = Arc::new(fields.iter().map(encoded).collect::<Vec<_>>());
    few.flat_map(move |batch| {
        let written = batch.and_then(|batch| written(&batch, &fields));
        let rows: Box<dyn Iterator<Item = PgWireResult<DataRow>> + Send> =
            match written.and_then(with_null_intervals) {
                Ok(batch) => {
                    let mut encoder = RowEncoder::new(batch, Arc::clone(&encoded));
                    Box::new(std::iter::from_fn(move || encoder.next_row()))
                }
                Err(error) => Box::new(std::iter::once(Err(error.into()))),
            };
        stream::iter(rows)
    })
}

/// A column as the library is told of it: what is sent as a text is one by then.
fn encoded(field: &FieldInfo) -> FieldInfo {
    match field.format() {
        FieldFormat::Text => {
            FieldInfo::new(field.name().to_owned(), None, None, Type::TEXT, FieldFormat::Text)
        }
        FieldFormat::Binary => field.clone(),
    }
}

/// Writes the texts that are sent, and makes intervals of durations, which have no days.
fn written(batch: &RecordBatch, fields: &[FieldInfo]) -> Result<RecordBatch, SqlError> {
    let written = batch.columns().iter().zip(fields).map(|(column, field)| match field.format() {
        FieldFormat::Text => texts(column, usize::MAX),
        FieldFormat::Binary => Ok(of_durations(column)?),
    });
    replaced(batch, written.collect::<Result<_, SqlError>>()?)
}

/// The same rows with other columns.
fn replaced(batch: &RecordBatch, columns: Vec<ArrayRef>) -> Result<RecordBatch, SqlError> {
    let fields = batch.schema_ref().fields().iter().zip(&columns);
    let fields = fields
        .map(|(field, column)| Field::clone(field).with_data_type(column.data_type().clone()));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let replaced = RecordBatch::try_new_with_options(schema, columns, &options);
    Ok(replaced.map_err(DataFusionError::from)?)
}

/// Wraps the intervals that may be null: the library takes a null interval for an empty one, unless
/// it is told of nulls by the array around it.
fn with_null_intervals(batch: RecordBatch) -> Result<RecordBatch, SqlError> {
    let is_wrapped = |column: &ArrayRef| {
        matches!(column.data_type(), DataType::Interval(_)) && column.null_count() > 0
    };
    if !batch.columns().iter().any(is_wrapped) {
        return Ok(batch);
    }
    let wrapped = |column: &ArrayRef| -> Result<ArrayRef, ArrowError> {
        if !is_wrapped(column) {
            return Ok(Arc::clone(column));
        }
        let row = |row: usize| i32::try_from(row).ok().filter(|_| column.is_valid(row));
        let rows = (0..column.len()).map(row).collect::<Int32Array>();
        Ok(Arc::new(DictionaryArray::try_new(rows, Arc::clone(column))?))
    };
    let columns = batch.columns().iter().map(wrapped).collect::<Result<_, _>>();
    replaced(&batch, columns.map_err(DataFusionError::from)?)
}

/// Says that a statement is done.
pub(super) async fn complete<C>(client: &mut C, tag: Tag) -> PgWireResult<()>
where
    C: Sink<PgWireBackendMessage> + Unpin,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    client.feed(PgWireBackendMessage::CommandComplete(CommandComplete::from(tag))).await?;
    Ok(())
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
        // These end the connection.
        let is_fatal = ["53300", "57P01"].contains(&error.code);
        let severity = if is_fatal { "FATAL" } else { "ERROR" };
        let mut info = ErrorInfo::new(severity.to_owned(), error.code.to_owned(), error.message);
        info.hint = error.hint;
        Self::UserError(Box::new(info))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::common::ScalarValue;

    use super::*;

    #[test]
    fn columns_are_called_as_in_postgresql() {
        for (expression, name) in [
            ("id", "id"),
            ("count(*)", "count"),
            ("max(state.key_length)", "max"),
            ("current_database()", "current_database"),
            ("Int64(1)", "?column?"),
            ("total (EUR)", "total (EUR)"),
            ("state.key_length + Int64(1)", "state.key_length + Int64(1)"),
        ] {
            assert_eq!(column_name(expression), name, "{expression}");
        }
    }

    #[tokio::test]
    async fn clients_are_sent_the_texts_of_postgresql() {
        let time = ScalarValue::TimestampMillisecond(Some(1), Some("+00:00".into()));
        let lasts = ScalarValue::DurationMillisecond(Some(90_000_000));
        let columns = [time, lasts, ScalarValue::from(f64::INFINITY), ScalarValue::from(true)];
        let named = ["at", "lasts", "much", "is"].into_iter().zip(columns);
        let columns = named.map(|(name, value)| (name, value.to_array().unwrap()));
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let fields = fields(batch.schema_ref(), &Format::UnifiedText).unwrap();
        assert_eq!(*fields[0].datatype(), Type::TIMESTAMPTZ);
        let rows: Vec<_> = rows(stream::iter([Ok(batch)]), fields).collect().await;
        let row = rows.into_iter().next().unwrap().unwrap();
        let mut expected = Vec::new();
        for text in ["1970-01-01 00:00:00.001+00", "1 day 01:00:00", "Infinity", "t"] {
            expected.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
            expected.extend(text.bytes());
        }
        assert_eq!(row.data, expected);
    }
}
