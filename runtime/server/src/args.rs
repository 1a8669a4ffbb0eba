//! What was typed. Everything is optional here; [`crate::config`] says what is meant.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

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
    Serve(Serve),
}

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Serve {
    /// TOML file with settings; what is given here goes before it.
    #[arg(long, env = "ABIDE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Where the data is [default: ./abide-data].
    #[arg(long, env = "ABIDE_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Where clients call [default: 127.0.0.1:8080].
    #[arg(long, env = "ABIDE_INGRESS_ADDRESS", value_name = "IP:PORT")]
    pub(crate) ingress_address: Option<SocketAddr>,

    /// Where operators call [default: 127.0.0.1:9070].
    #[arg(long, env = "ABIDE_ADMIN_ADDRESS", value_name = "IP:PORT")]
    pub(crate) admin_address: Option<SocketAddr>,

    /// Partitions of a new data directory; an existing one keeps its own [default: 2].
    #[arg(long, env = "ABIDE_PARTITIONS", value_name = "N")]
    pub(crate) partitions: Option<u16>,

    /// Newest service protocol to speak, 5 to 7 [default: 7].
    #[arg(long, env = "ABIDE_MAX_SERVICE_PROTOCOL_VERSION", value_name = "N")]
    pub(crate) max_service_protocol_version: Option<u16>,

    /// Half-close idle attempts after this many milliseconds, unless a service says otherwise
    /// [default: 60000]; 0 suspends at every wait.
    #[arg(long, env = "ABIDE_INACTIVITY_TIMEOUT_MS", value_name = "MS")]
    pub(crate) inactivity_timeout_ms: Option<u64>,

    /// Let services ask for their state instead of sending it along [default: false].
    #[arg(long, env = "ABIDE_LAZY_STATE", value_name = "BOOL")]
    pub(crate) lazy_state: Option<bool>,

    /// Keep finished invocations this many milliseconds, unless a service says otherwise
    /// [default: 86400000, a day].
    #[arg(long, env = "ABIDE_JOURNAL_RETENTION_MS", value_name = "MS")]
    pub(crate) journal_retention_ms: Option<u64>,
}
