//! Statements asked, and their answers printed.

use std::io::{self, IsTerminal, Write};

use crate::{
    client::Client,
    error::Error,
    output::{self, Format, OutputError},
    rows::Rows,
};

/// Asks a server, and prints what it answers.
#[derive(Debug)]
pub(crate) struct Printer {
    pub(crate) client: Client,
    pub(crate) format: Format,
}

impl Printer {
    /// Runs a statement, and prints its rows.
    pub(crate) async fn print(&self, statement: &str) -> Result<(), Error> {
        self.write(statement, self.format, &mut io::stdout()).await
    }

    /// Runs a statement, and writes its rows in a format to a writer.
    pub(crate) async fn write(
        &self,
        statement: &str,
        format: Format,
        to: &mut dyn Write,
    ) -> Result<(), Error> {
        let rows = self.client.query(statement).await?;
        Self::write_rows(rows, format, to).await
    }

    /// Writes the rows of an answer in a format to a writer.
    pub(crate) async fn write_rows(
        mut rows: Rows,
        format: Format,
        to: &mut dyn Write,
    ) -> Result<(), Error> {
        let mut output = output::begin(format, rows.schema(), to)?;
        while let Some(batch) = rows.next().await? {
            output.rows(&batch)?;
        }
        Ok(output.end()?)
    }
}

/// Whether what is printed appears on a terminal.
pub(crate) fn is_to_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Prints a text.
pub(crate) fn say(text: &str) -> Result<(), OutputError> {
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}
