//! Why a command failed, and with which exit code it ends.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use rustyline::error::ReadlineError;

use crate::{
    client::ClientError,
    commands::sql::interval::BadInterval,
    output::{OutputError, text::printable},
};

/// The exit codes after a failure. clap ends the process with 2 as well.
const FAILED: u8 = 1;
const USAGE: u8 = 2;
const UNREACHABLE: u8 = 3;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The server could not be asked, or refused.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The answer could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// What was typed can't be carried out.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The terminal can't be read.
    #[error("cannot read from the terminal: {0}")]
    Prompt(#[from] ReadlineError),
    /// The system has no thread or descriptor left.
    #[error("cannot start: {0}")]
    Start(#[source] io::Error),
}

/// What was typed can't be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsageError {
    /// Neither an argument nor a file nor standard input has a query.
    #[error("there is no query; type one, as in abide sql 'select * from sys_service'")]
    NoQuery,
    /// The queries can't be read.
    #[error("{what} cannot be read: {cause}")]
    Unreadable {
        /// A file, or standard input.
        what: String,
        /// Why.
        cause: io::Error,
    },
    /// The seconds of `--watch` are taken for the query.
    #[error("the seconds belong to --watch after an equal sign: --watch={0}")]
    LooseSeconds(String),
    /// There are several arguments.
    #[error(
        "'{0}' comes after the query; several queries are one argument, with semicolons between"
    )]
    Superfluous(String),
    /// There are several queries to watch.
    #[error("--watch repeats a single query, not {0}")]
    NotOne(usize),
    /// The command does not exist.
    #[error("there is no command {0}; \\? lists those that there are")]
    NoCommand(String),
    /// `\watch` comes before any query.
    #[error("there is no query to repeat; \\watch comes after one")]
    NothingToWatch,
    /// Not a number of seconds.
    #[error(transparent)]
    Interval(#[from] BadInterval),
}

impl Error {
    /// Tells the user, and returns the exit code. A reader that has seen enough (`| head`) is not
    /// told anything.
    pub(crate) fn report(&self) -> ExitCode {
        if self.is_reader_gone() {
            return ExitCode::SUCCESS;
        }
        complain(self);
        ExitCode::from(match self {
            Self::Client(error) if error.is_unreachable() => UNREACHABLE,
            Self::Client(_) | Self::Output(_) | Self::Prompt(_) | Self::Start(_) => FAILED,
            Self::Usage(_) => USAGE,
        })
    }

    /// Whether nobody reads what is written.
    pub(crate) fn is_reader_gone(&self) -> bool {
        matches!(self, Self::Output(error) if error.is_reader_gone())
    }
}

/// Writes a complaint to standard error. A server may say anything, so control characters do not
/// get through.
pub(crate) fn complain(what: impl fmt::Display) {
    let mut stderr = io::stderr().lock();
    for line in format!("abide: {what}").lines() {
        // There is nobody left to tell that this failed.
        _ = writeln!(stderr, "{}", printable(line));
    }
}
