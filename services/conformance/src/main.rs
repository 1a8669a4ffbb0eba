//! The services of the interop suite, on our own SDK: the same as those of `interop/services`,
//! `interop/typescript`, `interop/python`, `interop/go` and `interop/java` on the official SDKs. The
//! suite cannot tell them apart.
//!
//! Reading order: [`lab`] (a plain service with one handler for each feature), [`combine`] (its
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
    let endpoint = Endpoint::new()
        .bind(lab::Lab)
        .bind(cell::Cell)
        .bind(list::List)
        .bind(flow::Flow)
        .bind(hidden::Hidden);
    Ok(endpoint.serve(Args::parse().bind).await?)
}
