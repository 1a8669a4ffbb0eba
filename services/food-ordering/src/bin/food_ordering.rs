//! Serves the order workflow, the order status and the delivery manager.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use abide_sdk::{Endpoint, OncePerStep};
use clap::Parser;
use services_food_ordering::{
    delivery::DeliveryManager, http::Http, payment::Payments, restaurant::HttpRestaurant,
    status::OrderStatus, workflow::OrderWorkflow,
};
use tracing_subscriber::{filter::LevelFilter, prelude::*};

/// The services of the order flow.
#[derive(Parser)]
struct Args {
    /// Where the runtime reaches the services.
    #[arg(long, env = "BIND", default_value = "127.0.0.1:9080")]
    bind: SocketAddr,
    /// Where the restaurant's point of sale is.
    #[arg(long, env = "RESTAURANT", default_value = "http://127.0.0.1:5050")]
    restaurant: String,
    /// Where the payment stub writes down what it has charged.
    #[arg(long, env = "LEDGER", default_value = "ledger.jsonl")]
    ledger: PathBuf,
    /// How long each of the two legs of a delivery takes, in milliseconds.
    #[arg(long, env = "LEG_MS", default_value_t = 1000)]
    leg_ms: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Colours are for people; a file that is searched has no use for them.
    let is_for_people = std::io::stdout().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_ansi(is_for_people).with_filter(OncePerStep);
    tracing_subscriber::registry().with(lines).with(LevelFilter::INFO).init();
    let args = Args::parse();
    Endpoint::new()
        .bind(OrderWorkflow {
            payments: Payments::new(args.ledger),
            restaurant: Arc::new(HttpRestaurant { at: args.restaurant, http: Http::default() }),
        })
        .bind(OrderStatus)
        .bind(DeliveryManager { leg: Duration::from_millis(args.leg_ms) })
        .serve(args.bind)
        .await?;
    Ok(())
}
