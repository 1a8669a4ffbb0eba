//! Comma-separated values, as PostgreSQL writes them: NULL is an empty field, and the empty string
//! is quoted.

use std::io::Write;

use arrow::{array::RecordBatch, datatypes::Schema};

use super::{Output, OutputError, cells::each_row};

/// Lines of fields.
pub(crate) struct Csv<'a>(&'a mut dyn Write);

impl<'a> Csv<'a> {
    pub(crate) fn begin(schema: &Schema, to: &'a mut dyn Write) -> Result<Self, OutputError> {
        let names = schema.fields().iter().map(|field| Some(field.name().clone()));
        to.write_all(line(names.collect()).as_bytes())?;
        Ok(Self(to))
    }
}

impl Output for Csv<'_> {
    fn rows(&mut self, batch: &RecordBatch) -> Result<(), OutputError> {
        let mut text = String::new();
        each_row(batch, |cells| {
            text.push_str(&line(cells));
            Ok(())
        })?;
        self.0.write_all(text.as_bytes())?;
        Ok(self.0.flush()?)
    }

    fn end(&mut self) -> Result<(), OutputError> {
        Ok(self.0.flush()?)
    }
}

fn line(cells: Vec<Option<String>>) -> String {
    let fields = cells.into_iter().map(|cell| match cell {
        None => String::new(),
        Some(cell) if cell.is_empty() || cell.contains([',', '"', '\n', '\r']) => {
            format!("\"{}\"", cell.replace('"', "\"\""))
        }
        Some(cell) => cell,
    });
    fields.collect::<Vec<_>>().join(",") + "\n"
}
