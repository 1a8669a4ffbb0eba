//! An array of objects, a line for each. It is closed only at the end of the answer, so that nobody
//! takes half of it for the whole.

use std::io::Write;
use std::sync::Arc;

use arrow::{
    array::RecordBatch,
    datatypes::{Field, Schema},
    error::ArrowError,
    json::{Writer, WriterBuilder, writer::JsonFormat},
};

use super::{Output, OutputError, cells::UTC, json_values::as_json};

/// An array of objects.
pub(crate) struct Json<'a>(Writer<&'a mut dyn Write, RowPerLine>);

impl<'a> Json<'a> {
    pub(crate) fn new(to: &'a mut dyn Write) -> Self {
        let builder = WriterBuilder::new().with_explicit_nulls(true);
        Self(builder.with_timestamp_format(UTC.to_owned()).build(to))
    }
}

impl Output for Json<'_> {
    fn rows(&mut self, batch: &RecordBatch) -> Result<(), OutputError> {
        let columns = batch.columns().iter().map(as_json).collect::<Result<Vec<_>, _>>()?;
        let fields = batch.schema_ref().fields().iter().zip(&columns);
        let fields = fields
            .map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        self.0.write(&RecordBatch::try_new(Arc::new(schema), columns)?)?;
        Ok(self.0.get_mut().flush()?)
    }

    fn end(&mut self) -> Result<(), OutputError> {
        self.0.finish()?;
        Ok(self.0.get_mut().flush()?)
    }
}

#[derive(Debug, Default)]
struct RowPerLine;

impl JsonFormat for RowPerLine {
    fn start_stream<W: Write>(&self, to: &mut W) -> Result<(), ArrowError> {
        Ok(to.write_all(b"[")?)
    }

    fn start_row<W: Write>(&self, to: &mut W, is_first_row: bool) -> Result<(), ArrowError> {
        Ok(to.write_all(if is_first_row { b"" } else { b",\n" })?)
    }

    fn end_stream<W: Write>(&self, to: &mut W) -> Result<(), ArrowError> {
        Ok(to.write_all(b"]\n")?)
    }
}
