//! The command line as typed. Everything is optional here; [`crate::config`] fills in the rest.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{
    config::settings::{self, Address, OrOff},
    doctor::Doctor,
    restore::Restore,
};

/// A durable-execution runtime: handlers that finish exactly once in effect, whatever crashes.
#[derive(Debug, Parser)]
#[command(name = "abide", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run the server. Needs no configuration: data goes to ./abide-data.
    #[command(after_help = all_settings())]
    Serve(Serve),

    /// Make a data directory of a backup, which `abide backup` has taken.
    Restore(Restore),

    /// Look for what is wrong with a server, its data and this machine, and say what to do.
    #[command(after_help = cli::doctor::HELP)]
    Doctor(Doctor),

    /// What is asked of a server, here or elsewhere, over its admin API.
    #[command(flatten)]
    Client(cli::Command),
}

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Serve {
    /// TOML file with settings. Flags and environment variables take precedence over it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Data directory [default: ./abide-data].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Address of the ingress, for clients [default: 127.0.0.1:8080].
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) ingress_address: Option<Address>,

    /// Address of the admin API, for operators [default: 127.0.0.1:9070].
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) admin_address: Option<Address>,

    /// Address for psql and other PostgreSQL clients, or off [default: 127.0.0.1:9071].
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) sql_address: Option<OrOff>,

    /// Number of partitions of a new data directory. An existing one keeps its own [default: 2].
    #[arg(long, value_name = "N")]
    pub(crate) partitions: Option<u16>,

    /// Newest service protocol version to use, 5 to 7 [default: 7].
    #[arg(long, value_name = "N")]
    pub(crate) max_service_protocol_version: Option<u16>,

    /// Half-close idle attempts after this many milliseconds, unless a service sets its own
    /// [default: 60000]. 0 suspends at every wait.
    #[arg(long, value_name = "MS")]
    pub(crate) inactivity_timeout_ms: Option<u64>,

    /// Let services request their state instead of sending it along [default: false].
    #[arg(long, value_name = "BOOL")]
    pub(crate) lazy_state: Option<bool>,

    /// Keep completed invocations this many milliseconds, unless a service sets its own [default:
    /// 86400000, a day].
    #[arg(long, value_name = "MS")]
    pub(crate) journal_retention_ms: Option<u64>,
}

/// The help text on settings that have no flag.
fn all_settings() -> String {
    let keys = settings::KEYS.map(|key| format!("  {key}")).join("\n");
    format!(
        "Each of these is a key in the file (--config, ABIDE_CONFIG) and an environment variable in \
         capital letters with the prefix ABIDE_, such as ABIDE_DATA_DIR; most have no flag. ABIDE_LOG sets \
         the log level (info). docs/configuration.md lists them with their defaults.\n\n{keys}"
    )
}
