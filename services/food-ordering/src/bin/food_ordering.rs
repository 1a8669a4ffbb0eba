//! Serves the order workflow, the order status and the delivery manager.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use abide_sdk::{Endpoint, OncePerStep};
use clap::Parser;
use services_food_ordering::{
    args::Args, delivery::DeliveryManager, http::Http, payment::Payments,
    restaurant::HttpRestaurant, status::OrderStatus, workflow::OrderWorkflow,
};
use tracing_subscriber::{filter::LevelFilter, prelude::*};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Colours are only useful on a terminal; they would get in the way of searching a file.
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
