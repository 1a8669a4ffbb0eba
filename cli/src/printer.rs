//! Statements asked, and their answers printed.

use std::io::{self, Write};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    args::ListFlags,
    client::Client,
    error::Error,
    output::{self, Format, OutputError, fit::Space, screen},
    rows::Rows,
    terminal::{is_to_terminal, say},
};

/// Asks a server, and prints what it answers.
#[derive(Debug)]
pub(crate) struct Printer {
    pub(crate) client: Client,
    pub(crate) format: Format,
    /// The columns that a table can do without on a narrow terminal, the least important first. If
    /// there are none, it is as wide as it is.
    pub(crate) least: &'static [&'static str],
}

impl Printer {
    /// What prints a list as its flags say.
    pub(crate) fn of_list(flags: &ListFlags, least: &'static [&'static str]) -> Self {
        let format = flags.format.resolve(is_to_terminal());
        Self { client: Client::new(flags.server.admin.clone()), format, least }
    }

    fn space(&self) -> Option<Space<'static>> {
        let is_fitted = is_to_terminal() && !self.least.is_empty();
        is_fitted.then(|| Space { width: screen::size().1, least: self.least })
    }

    /// Runs a statement, and prints its rows. Returns how many there are.
    pub(crate) async fn print(&self, statement: &str) -> Result<u64, Error> {
        self.write(statement, self.format, &mut io::stdout()).await
    }

    /// Runs a statement, and writes its rows in a format to a writer.
    pub(crate) async fn write(
        &self,
        statement: &str,
        format: Format,
        to: &mut dyn Write,
    ) -> Result<u64, Error> {
        let rows = self.client.query(statement).await?;
        Self::write_rows(rows, format, self.space(), to).await
    }

    /// Writes the rows of an answer in a format to a writer.
    pub(crate) async fn write_rows(
        mut rows: Rows,
        format: Format,
        space: Option<Space<'_>>,
        to: &mut dyn Write,
    ) -> Result<u64, Error> {
        let mut output = output::begin(format, rows.schema(), space, to)?;
        let mut count = 0;
        while let Some(batch) = rows.next().await? {
            output.rows(&batch)?;
            count += batch.num_rows() as u64;
        }
        output.end()?;
        Ok(count)
    }
}

/// Runs a statement with few rows, and reads them by the names of their columns.
pub(crate) async fn fetch<T: DeserializeOwned>(
    client: &Client,
    statement: &str,
) -> Result<Vec<T>, Error> {
    let mut json = Vec::new();
    Printer::write_rows(client.query(statement).await?, Format::Json, None, &mut json).await?;
    Ok(serde_json::from_slice(&json).map_err(|error| client.unexpected(&error))?)
}

/// Prints a value as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::from);
    Ok(say(&(text.map_err(OutputError::Write)? + "\n"))?)
}
