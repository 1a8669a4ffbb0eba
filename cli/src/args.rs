//! The command line as typed: the nouns, and the flags that they share.

use std::path::PathBuf;

use clap::{
    Subcommand,
    error::{ContextKind, ContextValue},
};

use crate::{
    client::AdminUrl,
    commands::sql::interval::{Interval, PAUSE},
    output::Format,
};

/// The environment variable that says where the admin API is.
pub const ADMIN_URL_VARIABLE: &str = "ABIDE_ADMIN_URL";

/// What can be asked of a server.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Query invocations, journals and state in SQL. Without a query, opens a prompt.
    #[command(after_help = SQL_HELP)]
    Sql(Sql),
}

const SQL_HELP: &str = "\
Without a format flag, a terminal gets a table and anything else gets JSON: an array of objects, one \
line for each row. docs/sql.md lists the tables.

Exit codes:
  0  the query was answered, or the reader of the output has gone
  1  the query failed
  2  the command line is wrong
  3  the admin API cannot be reached
Ctrl-C ends it by its signal, which shells show as 130.";

/// The flags of `abide sql`.
#[derive(Debug, clap::Args)]
pub struct Sql {
    /// The query; several are separated by semicolons. `-` reads standard input.
    #[arg(conflicts_with = "file")]
    pub(crate) query: Option<String>,

    /// What comes after the query, to say what is wrong with it.
    #[arg(hide = true)]
    pub(crate) more: Option<String>,

    /// File with queries; `-` reads standard input.
    #[arg(short, long)]
    pub(crate) file: Option<PathBuf>,

    /// Repeat the query every so many seconds, 2 unless given, until interrupted.
    #[arg(
        short,
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        // Or `--watch "select 1"` would take the query for the seconds.
        require_equals = true,
        default_missing_value = PAUSE,
    )]
    pub(crate) watch: Option<Interval>,

    #[command(flatten)]
    pub(crate) format: FormatFlags,

    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

/// How rows are shown.
#[derive(Debug, clap::Args)]
#[group(id = "format", multiple = false)]
pub(crate) struct FormatFlags {
    /// Show rows as a table.
    #[arg(long)]
    table: bool,

    /// Show each row as a list of its columns.
    #[arg(short = 'x', long)]
    expanded: bool,

    /// Print rows as a JSON array of objects.
    #[arg(long)]
    json: bool,

    /// Print rows as CSV; NULL is an empty field, and the empty string is "".
    #[arg(long)]
    csv: bool,
}

impl FormatFlags {
    /// The chosen format, or the usual one for such an output.
    pub(crate) fn resolve(&self, to_terminal: bool) -> Format {
        match self {
            Self { table: true, .. } => Format::Table,
            Self { expanded: true, .. } => Format::Expanded,
            Self { json: true, .. } => Format::Json,
            Self { csv: true, .. } => Format::Csv,
            Self { .. } if to_terminal => Format::Table,
            Self { .. } => Format::Json,
        }
    }
}

/// Which server is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct ServerFlags {
    /// Address of the admin API, with http:// or https://.
    #[arg(
        long,
        value_name = "URL",
        env = ADMIN_URL_VARIABLE,
        default_value_t = AdminUrl::default()
    )]
    pub(crate) admin: AdminUrl,
}

/// Says what to type instead of `-w5`, which clap takes for the flags `-w` and `-5`.
#[must_use]
pub fn explained(mut error: clap::Error) -> clap::Error {
    let flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => flag.strip_prefix('-').unwrap_or_default(),
        _ => "",
    };
    let is_of_sql =
        error.get(ContextKind::Usage).is_some_and(|usage| usage.to_string().contains(" sql "));
    if is_of_sql && flag.starts_with(|it: char| it.is_ascii_digit()) {
        let seconds = if flag.parse::<Interval>().is_ok() { flag } else { PAUSE };
        let tip = format!("to repeat a query, write --watch={seconds}");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}
