//! Aligned columns. They are as wide as the first rows need; a later value that is wider moves the
//! rest of its line to the right, so that no row has to wait for the last one.

use std::io::Write;

use arrow::{array::RecordBatch, datatypes::Schema};

use super::{
    Output, OutputError,
    cells::{NULL, each_row},
    row_count,
    text::{printable, width},
};

/// How many rows are measured before the first is shown.
const MEASURED_ROWS: usize = 1000;
/// How many bytes of rows are kept until they have been measured.
const MEASURED_BYTES: usize = 4 << 20;
/// The widest that a column is made. One long text would otherwise pad all other rows.
const WIDTH_MAX: usize = 160;

/// A table.
pub(crate) struct Table<'a> {
    to: &'a mut dyn Write,
    columns: Vec<Column>,
    /// The first rows, until they have been measured.
    first: Vec<Vec<String>>,
    first_bytes: usize,
    is_measured: bool,
    rows: u64,
    /// Whether it stands by itself, with the number of rows below, or is a part of something.
    is_whole: bool,
}

struct Column {
    name: String,
    is_number: bool,
    width: usize,
}

impl<'a> Table<'a> {
    pub(crate) fn new(schema: &Schema, to: &'a mut dyn Write) -> Self {
        let columns = schema.fields().iter().map(|field| {
            let name = printable(field.name()).into_owned();
            let is_number = field.data_type().is_numeric();
            Column { width: width(&name).min(WIDTH_MAX), name, is_number }
        });
        let columns = columns.collect();
        Self {
            to,
            columns,
            first: Vec::new(),
            first_bytes: 0,
            is_measured: false,
            rows: 0,
            is_whole: true,
        }
    }

    /// A table that is a part of something larger. What a row does not have is blank there.
    pub(crate) fn part(schema: &Schema, to: &'a mut dyn Write) -> Self {
        Self { is_whole: false, ..Self::new(schema, to) }
    }

    /// The rows so far, below the names of the columns.
    fn measured(&mut self) -> String {
        self.is_measured = true;
        for row in &self.first {
            for (column, cell) in self.columns.iter_mut().zip(row) {
                column.width = column.width.max(width(cell)).min(WIDTH_MAX);
            }
        }
        let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        let mut text = self.line(&names);
        let rules = self.columns.iter().map(|column| "-".repeat(column.width + 2));
        text.push_str(&rules.collect::<Vec<_>>().join("+"));
        text.push('\n');
        for row in std::mem::take(&mut self.first) {
            text.push_str(&self.line(&row));
        }
        text
    }

    fn line(&self, cells: &[String]) -> String {
        let mut line = String::new();
        for (column, cell) in self.columns.iter().zip(cells) {
            let padding = " ".repeat(column.width.saturating_sub(width(cell)));
            line.push_str(if line.is_empty() { " " } else { " | " });
            let sides = if column.is_number { [&padding, cell] } else { [cell, &padding] };
            line.extend(sides.map(String::as_str));
        }
        line.truncate(line.trim_end_matches(' ').len());
        line.push('\n');
        line
    }
}

impl Output for Table<'_> {
    fn rows(&mut self, batch: &RecordBatch) -> Result<(), OutputError> {
        let mut text = String::new();
        let null = if self.is_whole { NULL } else { "" };
        each_row(batch, |cells| {
            let shown = |cell: Option<String>| match cell {
                Some(cell) => printable(&cell).into_owned(),
                None => null.to_owned(),
            };
            let cells: Vec<String> = cells.into_iter().map(shown).collect();
            self.rows += 1;
            if self.is_measured {
                text.push_str(&self.line(&cells));
                return Ok(());
            }
            self.first_bytes += cells.iter().map(String::len).sum::<usize>();
            self.first.push(cells);
            if self.first.len() >= MEASURED_ROWS || self.first_bytes >= MEASURED_BYTES {
                text = self.measured();
            }
            Ok(())
        })?;
        self.to.write_all(text.as_bytes())?;
        Ok(self.to.flush()?)
    }

    fn end(&mut self) -> Result<(), OutputError> {
        let mut text = if self.is_measured { String::new() } else { self.measured() };
        if self.is_whole {
            text.push_str(&row_count(self.rows));
        }
        self.to.write_all(text.as_bytes())?;
        Ok(self.to.flush()?)
    }
}
