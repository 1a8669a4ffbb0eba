//! Logs: to standard error, by level, as `ABIDE_LOG` says (`info` without it).
//!
//! Nobody may be listening: a pipe can be closed, and a log file be on the disk that is full. What can't
//! be said is left unsaid, and nothing else depends on it.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result, ensure};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::config::settings::Environment;

/// Where it is said what is logged.
pub(crate) const VARIABLE: &str = "ABIDE_LOG";

/// # Errors
/// When what is to be logged can't be read.
pub(crate) fn start(environment: &Environment) -> Result<()> {
    let wanted = environment.get(VARIABLE).unwrap_or("info");
    let refused = || {
        format!(
            "{VARIABLE} is '{wanted}', expected a level (error, warn, info, debug, trace), or directives \
             with one, such as runtime_invoker=debug,info"
        )
    };
    // By itself a word is taken for a target, and nothing else is logged then.
    let is_level = |part: &str| part.contains('=') || part.trim().parse::<LevelFilter>().is_ok();
    ensure!(wanted.split(',').all(is_level), refused());
    // What a peer does wrong is that peer's business: one connection could fill a log with it.
    let filter = EnvFilter::try_new(format!("h2=error,{wanted}")).with_context(refused)?;
    // A second subscriber can only come from a test harness; the first one stays.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // Colours are for people; a file that is searched has no use for them.
        .with_ansi(io::stderr().is_terminal())
        // It would complain about a standard error that takes nothing on that same standard error, and
        // panic.
        .log_internal_errors(false)
        .with_target(false)
        .try_init();
    Ok(())
}

/// Says something on standard output.
pub(crate) fn print(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Says why the program ends, on standard error.
pub(crate) fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
