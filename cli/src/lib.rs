//! The command line of operators. It speaks the admin API over HTTP and knows nothing of the
//! runtime but the format of a backup, so it works with every server that has this API.
//!
//! Reading order: `args` (flags that commands share), `client` (requests), `rows` (answers to
//! queries), `output` (rows and things as text), `terminal` (what is said and asked there),
//! `printer` and `watch` (rows asked and shown), `commands` (one module for each noun), `error`
//! (exit codes).

mod args;
mod client;
mod commands;
mod error;
mod interval;
mod output;
mod printer;
mod rows;
mod sql_text;
mod terminal;
mod watch;

use std::process::ExitCode;

pub use args::{ADMIN_URL_VARIABLE, explained};
pub use commands::{Command, doctor};

/// Runs a command of a command line, of which completions are made. What went wrong is on standard
/// error when this returns.
#[must_use]
pub fn run(command: &Command, whole: clap::Command) -> ExitCode {
    match commands::run(command, whole) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}
