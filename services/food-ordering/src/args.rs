//! The command line of the services.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// The services of the order flow.
#[derive(Parser)]
pub struct Args {
    /// Address to listen on, where the runtime reaches the services.
    #[arg(long, env = "BIND", default_value = "127.0.0.1:9080")]
    pub bind: SocketAddr,
    /// URL of the restaurant's point of sale.
    #[arg(long, env = "RESTAURANT", default_value = "http://127.0.0.1:5050")]
    pub restaurant: String,
    /// File in which the payment stub records its charges.
    #[arg(long, env = "LEDGER", default_value = "ledger.jsonl")]
    pub ledger: PathBuf,
    /// Duration of each of the two legs of a delivery, in milliseconds.
    #[arg(long, env = "LEG_MS", default_value_t = 1000)]
    pub leg_ms: u64,
}
