//! Logs to standard error. `ABIDE_LOG` sets the level (default: `info`).
//!
//! The output may be unusable: a pipe can be closed, and a log file may be on a full disk. What
//! can't be written is dropped, and nothing else depends on it.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anyhow::{Result, anyhow, ensure};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::config::settings::Environment;

/// The variable that sets the log level.
pub(crate) const VARIABLE: &str = "ABIDE_LOG";

/// Starts logging.
///
/// # Errors
/// Returns an error if the log level can't be parsed.
pub(crate) fn start(environment: &Environment) -> Result<()> {
    let wanted = environment.get(VARIABLE).unwrap_or("info");
    let refused = || {
        format!(
            "{VARIABLE} is '{wanted}', expected a level (error, warn, info, debug, trace), or directives \
             with one, such as runtime_invoker=debug,info"
        )
    };
    // A bare word would count as a target, and then nothing else would be logged.
    let is_level = |part: &str| part.contains('=') || part.trim().parse::<LevelFilter>().is_ok();
    ensure!(wanted.split(',').all(is_level), refused());
    // Errors of a peer are the peer's problem: one connection could fill the log with them.
    // The error repeats what a level is.
    let filter =
        EnvFilter::try_new(format!("h2=error,{wanted}")).map_err(|_| anyhow!(refused()))?;
    // Only a test harness installs a second subscriber, and then the first one stays.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // Colours are for terminals. In a file that is searched, they get in the way.
        .with_ansi(io::stderr().is_terminal())
        // Otherwise it would report a failing standard error on that same standard error, and
        // panic.
        .log_internal_errors(false)
        .with_target(false)
        .try_init();
    Ok(())
}

/// Prints a line on standard output.
pub(crate) fn print(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Prints on standard error why the program ends.
pub(crate) fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
