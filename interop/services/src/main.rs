//! The services of the interop suite on the official Rust SDK. `interop/typescript` has the same
//! services on the official TypeScript SDK; the suite cannot tell them apart.
//!
//! Reading order: [`lab`] (a plain service with one handler per feature to test), [`cell`] and
//! [`list`] (virtual objects), [`flow`] (a workflow).

mod cell;
mod flow;
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
        .build();
    HttpServer::new(endpoint).listen_and_serve(Args::parse().bind).await;
}
