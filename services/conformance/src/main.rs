//! The services of the interop suite, on our own SDK: the same as `interop/services` on the
//! official Rust SDK and `interop/typescript` on the official TypeScript SDK. The suite cannot tell
//! them apart.
//!
//! Reading order: [`lab`] (a plain service with one handler for each feature), [`cell`] and
//! [`list`] (virtual objects), [`flow`] (a workflow).

mod cell;
mod flow;
mod lab;
mod list;

use std::net::SocketAddr;

use abide_sdk::Endpoint;
use clap::Parser;

/// Serves the services of the interop suite.
#[derive(Parser)]
struct Args {
    /// Address to listen on, where the runtime reaches the services.
    #[arg(long, env = "BIND", default_value = "127.0.0.1:9080")]
    bind: SocketAddr,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let endpoint =
        Endpoint::new().bind(lab::Lab).bind(cell::Cell).bind(list::List).bind(flow::Flow);
    Ok(endpoint.serve(Args::parse().bind).await?)
}
