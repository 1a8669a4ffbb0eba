//! What the program of the services is told.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// The services of the order flow.
#[derive(Parser)]
pub struct Args {
    /// Where the runtime reaches the services.
    #[arg(long, env = "BIND", default_value = "127.0.0.1:9080")]
    pub bind: SocketAddr,
    /// Where the restaurant's point of sale is.
    #[arg(long, env = "RESTAURANT", default_value = "http://127.0.0.1:5050")]
    pub restaurant: String,
    /// Where the payment stub writes down what it has charged.
    #[arg(long, env = "LEDGER", default_value = "ledger.jsonl")]
    pub ledger: PathBuf,
    /// How long each of the two legs of a delivery takes, in milliseconds.
    #[arg(long, env = "LEG_MS", default_value_t = 1000)]
    pub leg_ms: u64,
}
