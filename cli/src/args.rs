//! The flags that commands share.

use clap::error::{ContextKind, ContextValue};

use crate::{
    client::{AdminUrl, segment},
    interval::{Interval, PAUSE},
    output::Format,
};

/// The environment variable that says where the admin API is.
pub const ADMIN_URL_VARIABLE: &str = "ABIDE_ADMIN_URL";

/// What every list takes.
#[derive(Debug, clap::Args)]
pub struct ListFlags {
    #[command(flatten)]
    pub(crate) watch: WatchFlag,

    #[command(flatten)]
    pub(crate) format: FormatFlags,

    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

/// Whether it is asked again and again.
#[derive(Debug, clap::Args)]
pub(crate) struct WatchFlag {
    /// Repeat it every so many seconds, 2 unless given, until interrupted.
    #[arg(
        id = "watch",
        short,
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        // Or `--watch "select 1"` would take the query for the seconds.
        require_equals = true,
        default_missing_value = PAUSE,
    )]
    pub(crate) every: Option<Interval>,
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

/// How a single thing, or what was done, is shown.
#[derive(Debug, clap::Args)]
#[group(id = "layout", multiple = false)]
pub(crate) struct LayoutFlags {
    /// Show it laid out as text, as a terminal gets it.
    #[arg(long)]
    table: bool,

    /// Print it as JSON, as anything but a terminal gets it.
    #[arg(long)]
    json: bool,
}

impl LayoutFlags {
    /// Whether it is JSON that is wanted, on such an output.
    pub(crate) fn is_json(&self, to_terminal: bool) -> bool {
        self.json || !(self.table || to_terminal)
    }
}

/// Why something is done.
#[derive(Debug, clap::Args)]
pub(crate) struct ReasonFlag {
    /// Why it is done. The audit keeps it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

impl ReasonFlag {
    /// The path of a request that says so. It may have parameters already.
    pub(crate) fn said_in(&self, path: &str) -> String {
        let sign = if path.contains('?') { '&' } else { '?' };
        match &self.reason {
            Some(reason) => format!("{path}{sign}reason={}", segment(reason)),
            None => path.to_owned(),
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
    let usage = error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
    let can_watch =
        [" sql ", " list ", " audit ", " why "].iter().any(|command| usage.contains(command));
    if can_watch && flag.starts_with(|it: char| it.is_ascii_digit()) {
        let seconds = if flag.parse::<Interval>().is_ok() { flag } else { PAUSE };
        let tip = format!("to repeat it, write --watch={seconds}");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}
