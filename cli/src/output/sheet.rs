//! A single thing for people: what is known about it, name by name, and tables of what belongs to
//! it.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::SchemaRef,
};

use super::{
    Output, OutputError,
    table::Table,
    text::{printable, width},
};

/// The column of the values, unless a name is longer.
const NAME_WIDTH: usize = 12;
/// How many lines of a value are shown, such as a stack trace.
const LINES_MAX: usize = 12;

/// What is shown, as it grows.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    text: Vec<u8>,
}

impl Sheet {
    /// A sheet about this.
    pub(crate) fn about(title: &str) -> Self {
        let mut sheet = Self::default();
        sheet.line(&printable(title));
        sheet
    }

    /// A value with its name. The lines of a long one stand below each other.
    pub(crate) fn field(&mut self, name: &str, value: &str) {
        let mut lines = value.lines();
        let padding = " ".repeat(NAME_WIDTH.saturating_sub(width(name)));
        let first = lines.next().unwrap_or_default();
        self.line(&format!("  {name}{padding} {}", printable(first)));
        let indent = " ".repeat(NAME_WIDTH + 3);
        for line in lines.by_ref().take(LINES_MAX - 1) {
            self.line(&format!("{indent}{}", printable(line)));
        }
        let left = lines.count();
        if left > 0 {
            self.line(&format!("{indent}… and {left} more lines"));
        }
    }

    /// A value with its name, if there is one.
    pub(crate) fn field_if(&mut self, name: &str, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.field(name, value.as_ref());
        }
    }

    /// A line of its own.
    pub(crate) fn item(&mut self, text: &str) {
        self.line(&format!("  {}", printable(text)));
    }

    /// The heading of what follows.
    pub(crate) fn section(&mut self, title: &str) {
        self.line("");
        self.line(&printable(title));
    }

    /// A table of rows that a query has returned.
    pub(crate) fn table(
        &mut self,
        schema: &SchemaRef,
        rows: &[RecordBatch],
    ) -> Result<(), OutputError> {
        let mut table = Table::part(schema, &mut self.text);
        for batch in rows {
            table.rows(batch)?;
        }
        table.end()
    }

    /// A table of texts.
    pub(crate) fn texts<const N: usize>(
        &mut self,
        names: [&str; N],
        rows: &[[String; N]],
    ) -> Result<(), OutputError> {
        let column = |at: usize| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row[at])))
        };
        let columns = (0..).zip(names).map(|(at, name)| (name, column(at)));
        let batch = RecordBatch::try_from_iter(columns)?;
        self.table(&batch.schema(), &[batch])
    }

    /// What is shown.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    fn line(&mut self, line: &str) {
        self.text.extend_from_slice(line.as_bytes());
        self.text.push(b'\n');
    }
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        // Writing to a string can't fail.
        _ = write!(text, "{digit}");
    }
    text
}

/// So many of something.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_values_and_tables_are_aligned() {
        let mut sheet = Sheet::about("inv_1");
        sheet.field("status", "paused");
        sheet.field_if("failure", Some("[500] no\nat a\nat b"));
        sheet.field_if("deployment", None::<String>);
        sheet.section("Services");
        sheet.texts(["name", "revision"], &[["A".to_owned(), "1".to_owned()]]).unwrap();
        let shown = concat!(
            "inv_1\n",
            "  status       paused\n",
            "  failure      [500] no\n",
            "               at a\n",
            "               at b\n",
            "\n",
            "Services\n",
            " name | revision\n",
            "------+----------\n",
            " A    | 1\n",
        );
        assert_eq!(sheet.text(), shown);
    }

    #[test]
    fn long_values_are_cut_and_no_value_talks_to_the_terminal() {
        let mut sheet = Sheet::about("\u{1b}[2J");
        sheet.field("trace", &"at \u{7}\n".repeat(100));
        let text = sheet.text();
        assert_eq!(text.lines().next(), Some("\\x1b[2J"));
        assert_eq!(text.lines().count(), 1 + LINES_MAX + 1);
        assert!(text.ends_with("… and 88 more lines\n"), "{text}");
        assert!(!text.contains(|it: char| it.is_control() && it != '\n'), "{text:?}");
    }

    #[test]
    fn numbers_can_be_read() {
        let numbers = [0, 999, 1000, 50_200, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "50,200", "1,234,567"]);
        assert_eq!(counted(1, "row", "rows"), "1 row");
        assert_eq!(counted(2000, "row", "rows"), "2,000 rows");
    }
}
