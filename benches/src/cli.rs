//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use e2e_harness::programs::root;

use crate::sample::Part;
use crate::server::ServerKind;
use crate::workload::Workload;

/// Compares durable-execution servers, taking turns within one run.
#[derive(Debug, Parser)]
pub struct Cli {
    /// The subcommand to execute.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Starts the servers in turn, measures them and prints the report.
    Run(Box<RunArgs>),
    /// Runs only the store-size test: the same as `run --parts rows`.
    Rows(Box<RunArgs>),
    /// Prints the report of an earlier run.
    Report {
        /// The result file of the run.
        file: PathBuf,
    },
    /// Sends one request repeatedly to a server that is already running.
    Load(LoadArgs),
}

/// Options of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Parts to run.
    #[arg(long, value_delimiter = ',', default_value = "idle,load,fsyncs,restart")]
    pub parts: Vec<Part>,
    /// Servers to compare, in this order.
    #[arg(long, value_delimiter = ',', default_value = "abide,restate,restate2p")]
    pub servers: Vec<ServerKind>,
    /// Workloads to send; a name that ends in `-0` retains no journals.
    #[arg(long, value_delimiter = ',', default_value = "echo,counter10k,hotkey,run10,call5,send")]
    pub workloads: Vec<Workload>,
    /// Numbers of connections, with one measurement each.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    pub concurrency: Vec<u64>,
    /// How often to repeat everything; the report shows medians.
    #[arg(long, default_value_t = 3)]
    pub rounds: u64,
    /// Duration of each measurement, in seconds.
    #[arg(long, default_value_t = 8.0)]
    pub seconds: f64,
    /// Duration of the warm-up before each measurement, in seconds.
    #[arg(long, default_value_t = 2.0)]
    pub warm: f64,
    /// Duration of each measurement while fsyncs are counted, in seconds.
    #[arg(long, default_value_t = 3.0)]
    pub fsync_seconds: f64,
    /// Number of calls to complete before the restart test.
    #[arg(long, default_value_t = 200_000)]
    pub restart_calls: u64,
    /// Number of invocations that are suspended when the server is killed.
    #[arg(long, default_value_t = 20_000)]
    pub suspended: u64,
    /// Number of suspended invocations that the part `bulk` cancels at once.
    #[arg(long, default_value_t = 50_000)]
    pub cancelled: u64,
    /// How often to kill the server.
    #[arg(long, default_value_t = 3)]
    pub kills: u64,
    /// Number of live rows that the store-size test writes.
    #[arg(long, default_value_t = 10_000_000)]
    pub rows: u64,
    /// Rows per invocation of the store-size test.
    #[arg(long, default_value_t = 1000)]
    pub rows_per_call: u64,
    /// Number of retained invocations that the parts `sql` and `dashboards` begin with.
    #[arg(long, default_value_t = 1_000_000)]
    pub invocations: u64,
    /// Number of dashboards, each of which asks all of its queries once per second.
    #[arg(long, default_value_t = 10)]
    pub dashboards: u64,
    /// First port to use; a run needs twelve consecutive ports.
    #[arg(long, default_value_t = 23_000)]
    pub port: u16,
    /// This repository's server; by default the one next to this program.
    #[arg(long)]
    pub abide_bin: Option<PathBuf>,
    /// Additional argument for this repository's server; may be repeated.
    #[arg(long, allow_hyphen_values = true)]
    pub abide_arg: Vec<String>,
    /// Restate's server; installed from npm by default.
    #[arg(long)]
    pub restate_bin: Option<PathBuf>,
    /// The services; by default those next to this program.
    #[arg(long)]
    pub services_bin: Option<PathBuf>,
    /// Additional argument for the services; may be repeated.
    #[arg(long, allow_hyphen_values = true)]
    pub services_arg: Vec<String>,
    /// Directory for data and logs.
    #[arg(long, default_value_os_t = root().join("target/bench-data"))]
    pub data: PathBuf,
    /// Directory in which Restate is installed.
    #[arg(long, default_value_os_t = root().join("target/bench-restate"))]
    pub restate_dir: PathBuf,
    /// Directory for the raw figures.
    #[arg(long, default_value_os_t = root().join("benches/results"))]
    pub results: PathBuf,
}

/// Options of `load`.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// Address of the ingress.
    #[arg(long)]
    pub address: SocketAddr,
    /// The workload to send.
    #[arg(long, default_value = "echo")]
    pub workload: Workload,
    /// Number of connections.
    #[arg(long, default_value_t = 64)]
    pub concurrency: u64,
    /// Duration of the measurement, in seconds.
    #[arg(long, default_value_t = 8.0)]
    pub seconds: f64,
    /// Duration of the warm-up, in seconds.
    #[arg(long, default_value_t = 2.0)]
    pub warm: f64,
}
