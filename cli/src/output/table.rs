//! Aligned columns. They are as wide as the first rows need; a later value that is wider moves the
//! rest of its line to the right, so that no row has to wait for the last one. Where it is to fit a
//! terminal, the columns that matter least are left out, and long values are cut.

use std::borrow::Cow;
use std::io::Write;

use arrow::{array::RecordBatch, datatypes::Schema};

use super::{
    Output, OutputError,
    cells::{NULL, each_row},
    fit::{Space, Wanted, fit},
    row_count,
    text::{cut, printable, width},
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
    /// What it has to fit into, if it has to.
    space: Option<Space<'a>>,
}

struct Column {
    name: String,
    is_number: bool,
    width: usize,
    /// Whether none of the first rows has a value there.
    is_empty: bool,
    /// Whether it is shown.
    is_shown: bool,
    /// Whether longer values are cut.
    is_cut: bool,
}

impl<'a> Table<'a> {
    pub(crate) fn new(schema: &Schema, space: Option<Space<'a>>, to: &'a mut dyn Write) -> Self {
        let columns = schema.fields().iter().map(|field| {
            let name = printable(field.name()).into_owned();
            let is_number = field.data_type().is_numeric();
            let width = width(&name).min(WIDTH_MAX);
            Column { name, is_number, width, is_empty: true, is_shown: true, is_cut: false }
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
            space,
        }
    }

    /// A table that is a part of something larger. What a row does not have is blank there.
    pub(crate) fn part(schema: &Schema, to: &'a mut dyn Write) -> Self {
        Self { is_whole: false, ..Self::new(schema, None, to) }
    }

    /// The rows so far, below the names of the columns.
    fn measured(&mut self) -> String {
        self.is_measured = true;
        for row in &self.first {
            for (column, cell) in self.columns.iter_mut().zip(row) {
                column.width = column.width.max(width(cell)).min(WIDTH_MAX);
                column.is_empty &= cell.is_empty() || cell == NULL;
            }
        }
        self.fit();
        let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        let mut text = self.line(&names);
        let shown = self.columns.iter().filter(|column| column.is_shown);
        let rules = shown.map(|column| "-".repeat(column.width + 2));
        text.push_str(&rules.collect::<Vec<_>>().join("+"));
        text.push('\n');
        for row in std::mem::take(&mut self.first) {
            text.push_str(&self.line(&row));
        }
        text
    }

    /// Makes the columns fit, once the first rows have been measured.
    fn fit(&mut self) {
        let Some(space) = self.space else { return };
        let wanted = self.columns.iter().map(|column| Wanted {
            name: &column.name,
            width: column.width,
            is_empty: column.is_empty,
        });
        let widths = fit(&wanted.collect::<Vec<_>>(), space);
        for (column, width) in self.columns.iter_mut().zip(widths) {
            column.is_shown = width.is_some();
            column.is_cut = true;
            column.width = width.unwrap_or(0);
        }
    }

    fn line(&self, cells: &[String]) -> String {
        let mut line = String::new();
        let shown = self.columns.iter().zip(cells).filter(|(column, _)| column.is_shown);
        for (column, cell) in shown {
            let cell = column.fitted(cell);
            let padding = " ".repeat(column.width.saturating_sub(width(&cell)));
            line.push_str(if line.is_empty() { " " } else { " | " });
            let sides = if column.is_number { [&*padding, &*cell] } else { [&*cell, &*padding] };
            line.extend(sides);
        }
        line.truncate(line.trim_end_matches(' ').len());
        line.push('\n');
        line
    }
}

impl Column {
    /// The value, or as much of it as fits.
    fn fitted<'a>(&self, cell: &'a str) -> Cow<'a, str> {
        if self.is_cut && width(cell) > self.width {
            format!("{}…", cut(cell, self.width.saturating_sub(1))).into()
        } else {
            cell.into()
        }
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
            let left_out = self.columns.iter().filter(|column| !column.is_shown);
            let left_out: Vec<&str> = left_out.map(|column| column.name.as_str()).collect();
            if !left_out.is_empty() {
                let left_out = left_out.join(", ");
                text.push_str(&format!("(too wide for {left_out}: -x shows all columns)\n"));
            }
            text.push_str(&row_count(self.rows));
        }
        self.to.write_all(text.as_bytes())?;
        Ok(self.to.flush()?)
    }
}
