//! Rows as text, written as they arrive: one module for each format.

pub(crate) mod cells;
mod csv;
mod expanded;
pub(crate) mod fit;
mod intervals;
mod json;
mod json_values;
pub(crate) mod screen;
pub(crate) mod sheet;
mod table;
pub(crate) mod text;

use std::io::{self, Write};

use arrow::{array::RecordBatch, datatypes::Schema, error::ArrowError};

use self::{csv::Csv, expanded::Expanded, fit::Space, json::Json, table::Table};

/// How rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Aligned columns, for people.
    Table,
    /// A line for each column of each row, for people and rows with many columns.
    Expanded,
    /// An array of objects.
    Json,
    /// Comma-separated values.
    Csv,
}

/// Why rows can't be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// The output takes nothing more.
    #[error("the rows cannot be written: {0}")]
    Write(#[from] io::Error),
    /// A value has no text.
    #[error("a value cannot be shown: {0}; cast its column to text")]
    Value(#[source] ArrowError),
}

impl From<ArrowError> for OutputError {
    fn from(error: ArrowError) -> Self {
        if let ArrowError::IoError(_, error) = error {
            return Self::Write(error);
        }
        Self::Value(error)
    }
}

impl OutputError {
    /// Whether the reader of a pipe has gone.
    pub(crate) fn is_reader_gone(&self) -> bool {
        matches!(self, Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// The rows of one answer, on their way to a writer.
pub(crate) trait Output {
    /// Shows more rows.
    fn rows(&mut self, batch: &RecordBatch) -> Result<(), OutputError>;

    /// Shows what comes after the last row.
    fn end(&mut self) -> Result<(), OutputError>;
}

/// Begins an answer with these columns. A table is made to fit if it is told the space.
pub(crate) fn begin<'a>(
    format: Format,
    schema: &Schema,
    space: Option<Space<'a>>,
    to: &'a mut dyn Write,
) -> Result<Box<dyn Output + 'a>, OutputError> {
    Ok(match format {
        Format::Table => Box::new(Table::new(schema, space, to)),
        Format::Expanded => Box::new(Expanded::new(schema, to)),
        Format::Json => Box::new(Json::new(to)),
        Format::Csv => Box::new(Csv::begin(schema, to)?),
    })
}

/// The number of rows, as it stands below a table.
fn row_count(rows: u64) -> String {
    format!("({rows} {})\n", if rows == 1 { "row" } else { "rows" })
}

#[cfg(test)]
mod tests;
