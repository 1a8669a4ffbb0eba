//! A line for each column of each row.

use std::fmt::Write as _;
use std::io::Write;

use arrow::{array::RecordBatch, datatypes::Schema};

use super::{
    Output, OutputError,
    cells::{NULL, each_row},
    row_count,
    text::{printable, width},
};

/// Rows below each other.
pub(crate) struct Expanded<'a> {
    to: &'a mut dyn Write,
    /// The names of the columns, padded to the same width.
    names: Vec<String>,
    rows: u64,
}

impl<'a> Expanded<'a> {
    pub(crate) fn new(schema: &Schema, to: &'a mut dyn Write) -> Self {
        let names = schema.fields().iter().map(|field| printable(field.name()));
        let names: Vec<_> = names.collect();
        let widest = names.iter().map(|name| width(name)).max().unwrap_or(0);
        let padded = names.iter().map(|name| format!("{name}{}", " ".repeat(widest - width(name))));
        Self { to, names: padded.collect(), rows: 0 }
    }
}

impl Output for Expanded<'_> {
    fn rows(&mut self, batch: &RecordBatch) -> Result<(), OutputError> {
        let mut text = String::new();
        each_row(batch, |cells| {
            self.rows += 1;
            // Writing to a string can't fail.
            _ = writeln!(text, "-[ row {} ]-", self.rows);
            for (name, cell) in self.names.iter().zip(cells) {
                let cell = cell.unwrap_or_else(|| NULL.to_owned());
                _ = writeln!(text, "{name} | {}", printable(&cell));
            }
            Ok(())
        })?;
        self.to.write_all(text.as_bytes())?;
        Ok(self.to.flush()?)
    }

    fn end(&mut self) -> Result<(), OutputError> {
        self.to.write_all(row_count(self.rows).as_bytes())?;
        Ok(self.to.flush()?)
    }
}
