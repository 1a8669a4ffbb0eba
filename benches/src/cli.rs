//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use e2e_harness::programs::root;

use crate::sample::Part;
use crate::server::ServerKind;
use crate::workload::Workload;

/// Compares durable-execution servers in one run, in turns.
#[derive(Debug, Parser)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Starts the servers in turns, measures them and prints the report.
    Run(Box<RunArgs>),
    /// The store-size test alone: the same as `run --parts rows`.
    Rows(Box<RunArgs>),
    /// Prints the report of an earlier run again.
    Report {
        /// The file that run has written.
        file: PathBuf,
    },
    /// Sends one request over and over to a server that is already running.
    Load(LoadArgs),
}

/// The knobs of a run.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Which parts to run.
    #[arg(long, value_delimiter = ',', default_value = "idle,load,fsyncs,restart")]
    pub parts: Vec<Part>,
    /// Which servers to compare, in this order.
    #[arg(long, value_delimiter = ',', default_value = "abide,restate,restate2p")]
    pub servers: Vec<ServerKind>,
    /// Which workloads to send; a name that ends in `-0` keeps no journals.
    #[arg(long, value_delimiter = ',', default_value = "echo,counter10k,hotkey,run10,call5,send")]
    pub workloads: Vec<Workload>,
    /// How many connections, one measurement each.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    pub concurrency: Vec<u64>,
    /// How often everything is repeated; the report shows medians.
    #[arg(long, default_value_t = 3)]
    pub rounds: u64,
    /// How long each measurement takes.
    #[arg(long, default_value_t = 8.0)]
    pub seconds: f64,
    /// How long the load runs before each measurement.
    #[arg(long, default_value_t = 2.0)]
    pub warm: f64,
    /// How long each measurement takes while fsyncs are counted.
    #[arg(long, default_value_t = 3.0)]
    pub fsync_seconds: f64,
    /// How many calls are answered before the restart test.
    #[arg(long, default_value_t = 200_000)]
    pub restart_calls: u64,
    /// How many invocations are suspended when the server is killed.
    #[arg(long, default_value_t = 20_000)]
    pub suspended: u64,
    /// How often it is killed.
    #[arg(long, default_value_t = 3)]
    pub kills: u64,
    /// How many live rows the store-size test writes.
    #[arg(long, default_value_t = 10_000_000)]
    pub rows: u64,
    /// How many rows each invocation of it writes.
    #[arg(long, default_value_t = 1000)]
    pub rows_per_call: u64,
    /// The first port to use; the run needs the twelve from there.
    #[arg(long, default_value_t = 23_000)]
    pub port: u16,
    /// This repository's server; beside this program by default.
    #[arg(long)]
    pub abide_bin: Option<PathBuf>,
    /// One more argument for it; may be repeated.
    #[arg(long, allow_hyphen_values = true)]
    pub abide_arg: Vec<String>,
    /// Restate's server; installed from npm by default.
    #[arg(long)]
    pub restate_bin: Option<PathBuf>,
    /// The services; beside this program by default.
    #[arg(long)]
    pub services_bin: Option<PathBuf>,
    /// One more argument for them; may be repeated.
    #[arg(long, allow_hyphen_values = true)]
    pub services_arg: Vec<String>,
    /// Where data directories and logs go.
    #[arg(long, default_value_os_t = root().join("target/bench-data"))]
    pub data: PathBuf,
    /// Where Restate is installed.
    #[arg(long, default_value_os_t = root().join("target/bench-restate"))]
    pub restate_dir: PathBuf,
    /// Where the raw figures go.
    #[arg(long, default_value_os_t = root().join("benches/results"))]
    pub results: PathBuf,
}

/// The knobs of a single load.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// The ingress.
    #[arg(long)]
    pub address: SocketAddr,
    /// The workload.
    #[arg(long, default_value = "echo")]
    pub workload: Workload,
    /// How many connections.
    #[arg(long, default_value_t = 64)]
    pub concurrency: u64,
    /// How long it is measured.
    #[arg(long, default_value_t = 8.0)]
    pub seconds: f64,
    /// How long it runs before.
    #[arg(long, default_value_t = 2.0)]
    pub warm: f64,
}
