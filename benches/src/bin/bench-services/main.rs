//! The services that every server under test runs: one binary on the official Rust SDK, so that a
//! difference between two columns of the report is a difference between two servers.

mod chain;
mod counter;
mod echo;
mod rows;
mod sink;
mod sleeper;
mod steps;

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Parser;
use hyper_util::rt::{TokioExecutor, TokioIo};
use restate_sdk::hyper::HyperEndpoint;
use restate_sdk::prelude::{Endpoint, HttpServer};
use tokio::net::TcpListener;

/// Serves the benchmark services until terminated.
#[derive(Parser)]
struct Args {
    /// Address at which the runtime reaches the services.
    #[arg(long, default_value = "127.0.0.1:23010")]
    bind: SocketAddr,
    /// Address at which the load generator reads the tally of started, finished and live handlers.
    #[arg(long, default_value = "127.0.0.1:23011")]
    tally: SocketAddr,
    /// Sets TCP_NODELAY on accepted connections, which the SDK's own server does not do.
    #[arg(long)]
    nodelay: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let tally = listen(args.tally).await?;
    tokio::spawn(benches::tally::serve(tally));
    let listener = listen(args.bind).await?;
    let endpoint = endpoint();
    if args.nodelay {
        serve_without_delay(listener, endpoint).await?;
    } else {
        HttpServer::new(endpoint).serve(listener).await;
    }
    Ok(())
}

fn endpoint() -> Endpoint {
    Endpoint::builder()
        .bind(echo::Echo)
        .bind(echo::Echo0)
        .bind(counter::Counter)
        .bind(counter::Counter0)
        .bind(steps::Steps)
        .bind(steps::Steps0)
        .bind(chain::Chain)
        .bind(chain::Chain0)
        .bind(sink::Sink)
        .bind(sink::Sink0)
        .bind(sleeper::Sleeper)
        .bind(sleeper::Sleeper0)
        .bind(rows::Rows)
        .build()
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

async fn serve_without_delay(listener: TcpListener, endpoint: Endpoint) -> anyhow::Result<()> {
    let endpoint = HyperEndpoint::new(endpoint);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), endpoint.clone());
        tokio::spawn(connection);
    }
}
