//! Values as text, for people and for CSV.

use std::fmt::Write;

use arrow::{
    array::{Array, ArrayRef, RecordBatch},
    buffer::NullBuffer,
    datatypes::DataType,
    error::ArrowError,
    util::display::{ArrayFormatter, FormatOptions},
};

use super::{OutputError, intervals, json_values::as_json};

/// NULL within a list. A NULL of its own is for the format to show.
pub(crate) const NULL: &str = "NULL";

/// RFC 3339, also for times without a zone: SQL's times are in UTC.
pub(crate) const UTC: &str = "%Y-%m-%dT%H:%M:%S%.fZ";

const OPTIONS: FormatOptions<'static> =
    FormatOptions::new().with_null(NULL).with_timestamp_format(Some(UTC));

/// Calls a function with each row of a batch: the texts of its values, `None` for NULL.
pub(crate) fn each_row(
    batch: &RecordBatch,
    mut row: impl FnMut(Vec<Option<String>>) -> Result<(), OutputError>,
) -> Result<(), OutputError> {
    let columns = batch.columns().iter().map(as_json).collect::<Result<Vec<_>, _>>()?;
    let columns: Vec<_> = columns.iter().map(intervals::as_text).collect();
    let columns = columns.iter().map(Column::new).collect::<Result<Vec<_>, _>>()?;
    for at in 0..batch.num_rows() {
        row(columns.iter().map(|column| column.text(at)).collect::<Result<_, _>>()?)?;
    }
    Ok(())
}

struct Column<'a> {
    nulls: Option<NullBuffer>,
    prefix: &'static str,
    formatter: ArrayFormatter<'a>,
}

impl<'a> Column<'a> {
    fn new(array: &'a ArrayRef) -> Result<Self, ArrowError> {
        Ok(Self {
            nulls: array.logical_nulls(),
            prefix: if is_bytes(array.data_type()) { "\\x" } else { "" },
            formatter: ArrayFormatter::try_new(array, &OPTIONS)?,
        })
    }

    fn text(&self, row: usize) -> Result<Option<String>, ArrowError> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(None);
        }
        let mut text = self.prefix.to_owned();
        write!(text, "{}", self.formatter.value(row).try_to_string()?)
            .map_err(|error| ArrowError::ExternalError(error.into()))?;
        Ok(Some(text))
    }
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
    )
}
