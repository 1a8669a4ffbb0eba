//! The services of the interop suite on the official Rust SDK. Its neighbours have the same
//! services on the official SDKs of other languages; the suite cannot tell them apart.
//!
//! Reading order: [`lab`] (a plain service with one handler per feature to test), [`combine`] (its
//! largest), [`cell`] and [`list`] (virtual objects), [`flow`] (a workflow), [`hidden`] (a private
//! service), [`executions`].

mod cell;
mod combine;
mod executions;
mod flow;
mod hidden;
mod lab;
mod list;

use std::net::SocketAddr;

use clap::Parser;
use restate_sdk::prelude::*;

/// Serves the services of the interop suite.
#[derive(Parser)]
struct Args {
    /// Address at which the runtime reaches the services.
    #[arg(long, env = "BIND", default_value = "127.0.0.1:9080")]
    bind: SocketAddr,
}

#[tokio::main]
async fn main() {
    let endpoint = Endpoint::builder()
        .bind(lab::Lab)
        .bind(cell::Cell)
        .bind(list::List)
        .bind(flow::Flow)
        .bind(hidden::Hidden)
        .build();
    HttpServer::new(endpoint).listen_and_serve(Args::parse().bind).await;
}
