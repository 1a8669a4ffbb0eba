//! `abide doctor`, as far as it asks a server: whether it is well, and what in it is stuck. The
//! runtime adds what it sees on its own machine.

mod endpoints;
mod finding;
mod server;

use std::process::ExitCode;

pub use self::finding::{Finding, Level};
use crate::{
    args::{LayoutFlags, ServerFlags},
    client::Client,
    error::Error,
    output::text::printable,
    printer::print_json,
    terminal::{is_to_terminal, say},
};

/// The flags that say which server, and how findings are shown.
#[derive(Debug, clap::Args)]
pub struct Asked {
    #[command(flatten)]
    layout: LayoutFlags,

    #[command(flatten)]
    server: ServerFlags,
}

/// What is said below the flags.
pub const HELP: &str = "\
Looks at a data directory, at this machine, and at the server at --admin, whichever is there, and
changes none of them.

Exit codes:
  0  there is nothing that has to be done, though there may be warnings
  1  there is a problem
  2  the command line is wrong";

/// Asks the server how it is. `is_expected` says that one runs on this machine.
pub async fn of_server(asked: &Asked, is_expected: bool) -> Vec<Finding> {
    let client = Client::new(asked.server.admin.clone());
    server::look(&client, is_expected).await
}

/// Shows what was found, the worst last, and returns the exit code.
#[must_use]
pub fn report(asked: &Asked, mut findings: Vec<Finding>) -> ExitCode {
    findings.sort_by_key(|finding| finding.level);
    let worst = findings.last().map_or(Level::Ok, |finding| finding.level);
    let shown = if asked.layout.is_json(is_to_terminal()) {
        print_json(&findings)
    } else {
        say(&text(&findings)).map_err(Error::from)
    };
    match shown {
        Err(error) => error.report(),
        Ok(()) if worst == Level::Problem => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
    }
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { about, level, found, advice } in findings {
        let level = match level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Problem => "PROBLEM",
        };
        text += &format!("{level:<8} {about:<11} {}\n", printable(found));
        if let Some(advice) = advice {
            text += &format!("{:20} {}\n", "", printable(advice));
        }
    }
    let count = |wanted| findings.iter().filter(|finding| finding.level == wanted).count();
    let (warnings, problems) = (count(Level::Warning), count(Level::Problem));
    text + &match (problems, warnings) {
        (0, 0) => "all is well\n".to_owned(),
        (0, warnings) => format!("no problems; warnings: {warnings}\n"),
        (problems, warnings) => format!("problems: {problems}; warnings: {warnings}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_comes_with_what_to_do() {
        let findings = [
            Finding::ok("disk", "9 GiB are free"),
            Finding::problem("clock", "it shows 1970", "set it"),
        ];
        assert_eq!(
            text(&findings),
            "ok       disk        9 GiB are free\n\
             PROBLEM  clock       it shows 1970\n                     set it\n\
             problems: 1; warnings: 0\n"
        );
        assert_eq!(text(&findings[..1]).lines().last(), Some("all is well"));
    }
}
