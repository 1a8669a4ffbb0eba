//! The command line of operators. It speaks the admin API over HTTP and knows nothing of the
//! runtime, so it works with every server that has this API.
//!
//! Reading order: `args` (what is typed), `client` (requests), `rows` (answers to queries), `output`
//! (rows as text), `commands` (one module for each noun), `error` (exit codes).

mod args;
mod client;
mod commands;
mod error;
mod output;
mod rows;

use std::process::ExitCode;

pub use args::{ADMIN_URL_VARIABLE, Command, explained};

/// Runs a command. What went wrong is on standard error when this returns.
#[must_use]
pub fn run(command: &Command) -> ExitCode {
    let outcome = match command {
        Command::Sql(sql) => commands::sql::run(sql),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}
