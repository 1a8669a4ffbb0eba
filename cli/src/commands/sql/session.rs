//! Statements and commands, carried out one after the other.

use std::io;

use super::{describe, script::Step};
use crate::{
    client::ClientError,
    error::{Error, UsageError},
    interval,
    output::{Format, OutputError},
    printer::Printer,
    rows::Rows,
    terminal::say,
    watch::{Watched, watch},
};

/// The commands, as `\?` shows them.
const COMMANDS: &str = "\
\\d             list the tables
\\d TABLE       list the columns of a table; so does \\d+ TABLE
\\dt            list the tables
\\watch [SECS]  repeat the last query every so many seconds, 2 unless given, until Ctrl-C
\\x             show each row as a list of its columns, or as a line of a table again
\\q             leave; so does Ctrl-D
\\?             this list
Statements end with a semicolon. Ctrl-C cancels the one that runs.
";

/// Whether there is more to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Go on with the next step.
    Next,
    /// Leave.
    Quit,
}

/// What outlives a statement.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) printer: Printer,
    /// The statement that `\watch` repeats.
    last: Option<String>,
    /// Whether rows have been printed, from which others have to be told apart.
    has_answered: bool,
}

impl Session {
    pub(crate) fn new(printer: Printer) -> Self {
        Self { printer, last: None, has_answered: false }
    }

    /// Carries out a step.
    pub(crate) async fn step(&mut self, step: Step<'_>) -> Result<Flow, Error> {
        let command = match step {
            Step::Statement(statement) => {
                self.last = Some(statement.to_owned());
                let rows = self.printer.client.query(statement).await?;
                self.answer(rows, self.printer.format).await?;
                return Ok(Flow::Next);
            }
            Step::Command(command) => command,
        };
        let (name, argument) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        // As after a statement, a semicolon does no harm.
        let argument = argument.trim_end_matches(';').trim();
        match (name.trim_end_matches(';'), argument) {
            ("\\q", _) => return Ok(Flow::Quit),
            ("\\d" | "\\d+" | "\\dt", "") => {
                let rows = self.printer.client.query(describe::TABLES).await?;
                self.list(rows).await?;
            }
            ("\\d" | "\\d+" | "\\dt", table) => {
                let rows = self.columns(table).await?;
                self.list(rows).await?;
            }
            ("\\x", _) => self.toggle_expanded()?,
            ("\\watch", seconds) => {
                let seconds = if seconds.is_empty() { interval::PAUSE } else { seconds };
                let every = seconds.parse().map_err(UsageError::from)?;
                let last = self.last.as_deref().ok_or(UsageError::NothingToWatch)?;
                watch(&self.printer, Watched { title: last, statement: last }, every).await?;
            }
            ("\\?", _) => say(COMMANDS)?,
            (name, _) => return Err(UsageError::NoCommand(name.to_owned()).into()),
        }
        Ok(Flow::Next)
    }

    /// The columns of a table, with their descriptions where the server has any.
    async fn columns(&self, table: &str) -> Result<Rows, ClientError> {
        match self.printer.client.query(&describe::documented_table(table)).await {
            // Not every server has PostgreSQL's catalogue.
            Err(ClientError::Refused(_)) => {
                self.printer.client.query(&describe::table(table)).await
            }
            answer => answer,
        }
    }

    /// Prints tables or columns. They have few properties, and are read as a list.
    async fn list(&mut self, rows: Rows) -> Result<(), Error> {
        let format = match self.printer.format {
            Format::Expanded => Format::Table,
            format @ (Format::Table | Format::Json | Format::Csv) => format,
        };
        self.answer(rows, format).await
    }

    /// Prints rows. In CSV, nothing else shows where one answer ends and the next begins.
    async fn answer(&mut self, rows: Rows, format: Format) -> Result<(), Error> {
        if self.has_answered && format == Format::Csv {
            say("\n")?;
        }
        self.has_answered = true;
        Printer::write_rows(rows, format, None, &mut io::stdout()).await.map(drop)
    }

    fn toggle_expanded(&mut self) -> Result<(), OutputError> {
        let (format, said) = match self.printer.format {
            Format::Expanded => (Format::Table, "rows are lines of a table\n"),
            Format::Table | Format::Json | Format::Csv => {
                (Format::Expanded, "rows are lists of columns\n")
            }
        };
        self.printer.format = format;
        say(said)
    }
}
