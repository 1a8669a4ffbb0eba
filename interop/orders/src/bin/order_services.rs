//! Serves the order workflow, the order status and the delivery manager.

use std::time::Duration;

use clap::Parser;
use interop_orders::{delivery::DeliveryManager, status::OrderStatus, workflow::OrderWorkflow};
use restate_sdk::prelude::*;
use services_food_ordering::{args::Args, http::Http, payment::Payments};

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let endpoint = Endpoint::builder()
        .bind(OrderWorkflow {
            payments: Payments::new(args.ledger),
            restaurant: args.restaurant,
            http: Http::default(),
        })
        .bind(OrderStatus)
        .bind(DeliveryManager { leg: Duration::from_millis(args.leg_ms) })
        .build();
    HttpServer::new(endpoint).listen_and_serve(args.bind).await;
}
