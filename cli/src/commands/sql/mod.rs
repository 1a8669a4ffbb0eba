//! `abide sql`: queries from the command line, from files and at a prompt.

mod completion;
mod describe;
mod history;
mod prompt;
mod script;
mod session;

use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use tokio::runtime::Builder;

use self::{
    script::{Script, Step},
    session::{Flow, Session},
};
use crate::{
    args::{FormatFlags, ServerFlags, WatchFlag},
    client::Client,
    error::{Error, UsageError},
    printer::Printer,
    terminal::is_to_terminal,
    watch::{Watched, watch},
};

/// What the help says at its end, above the exit codes.
pub(crate) const HELP: &str = "\
Without a format flag, a terminal gets a table and anything else gets JSON: an array of objects, one \
line for each row. docs/sql.md lists the tables.

";

/// The flags of `abide sql`.
#[derive(Debug, clap::Args)]
pub struct Sql {
    /// The query; several are separated by semicolons. `-` reads standard input.
    #[arg(conflicts_with = "file")]
    query: Option<String>,

    /// What comes after the query, to say what is wrong with it.
    #[arg(hide = true)]
    more: Option<String>,

    /// File with queries; `-` reads standard input.
    #[arg(short, long)]
    file: Option<PathBuf>,

    #[command(flatten)]
    watch: WatchFlag,

    #[command(flatten)]
    format: FormatFlags,

    #[command(flatten)]
    server: ServerFlags,
}

/// Runs the queries that were given, or opens the prompt.
pub(crate) fn run(sql: &Sql) -> Result<(), Error> {
    let script = script(sql)?;
    let format = sql.format.resolve(is_to_terminal());
    let client = Client::new(sql.server.admin.clone());
    let mut session = Session::new(Printer { client, format, least: &[] });
    // The worker closes connections while the prompt waits for the user.
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(Error::Start)?;
    let Some(script) = script else { return prompt::prompt(&runtime, session) };
    let steps = Script::of(&script).all();
    match (sql.watch.every, steps.as_slice()) {
        (_, []) => Err(UsageError::NoQuery.into()),
        (Some(every), [Step::Statement(statement)]) => {
            let watched = Watched { title: statement, statement };
            runtime.block_on(watch(&session.printer, watched, every))
        }
        (Some(_), steps) => Err(UsageError::NotOne(steps.len()).into()),
        (None, steps) => {
            for step in steps {
                if runtime.block_on(session.step(*step))? == Flow::Quit {
                    break;
                }
            }
            Ok(())
        }
    }
}

/// The queries that were given; `None` if someone sits at a terminal to type them.
fn script(sql: &Sql) -> Result<Option<String>, UsageError> {
    let stdin = || io::read_to_string(io::stdin()).map_err(unreadable("standard input"));
    let is_interactive = io::stdin().is_terminal() && is_to_terminal();
    let is_number = |query: &&String| query.parse::<f64>().is_ok();
    if let Some(seconds) = sql.query.as_ref().filter(is_number)
        && sql.watch.every.is_some()
    {
        return Err(UsageError::LooseSeconds(seconds.clone()));
    }
    if let Some(more) = &sql.more {
        return Err(UsageError::Superfluous(more.clone()));
    }
    match (sql.query.as_deref(), &sql.file) {
        (Some("-"), _) => stdin().map(Some),
        (Some(query), _) => Ok(Some(query.to_owned())),
        (None, Some(file)) if file.as_os_str() == "-" => stdin().map(Some),
        (None, Some(file)) => {
            let text = fs::read_to_string(file);
            text.map(Some).map_err(unreadable(&file.display().to_string()))
        }
        (None, None) if !is_interactive => stdin().map(Some),
        (None, None) if sql.watch.every.is_some() => Err(UsageError::NoQuery),
        (None, None) => Ok(None),
    }
}

fn unreadable(what: &str) -> impl FnOnce(io::Error) -> UsageError {
    move |cause| UsageError::Unreadable { what: what.to_owned(), cause }
}
