//! The benchmark services on our own SDK, for comparison with the same services on the official
//! one: a difference between these two columns of the report is a difference between two SDKs.

use std::net::SocketAddr;

use abide_sdk::prelude::*;
use anyhow::Context as _;
use benches::tally::{self, Live};
use clap::Parser;
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
    /// Accepted for compatibility with bench-services; this SDK always sets TCP_NODELAY.
    #[arg(long)]
    nodelay: bool,
}

/// Returns its input.
struct Echo;

#[service]
impl Echo {
    pub async fn echo(&self, _ctx: &Context, text: String) -> Result<String> {
        Ok(text)
    }
}

/// A counter per key.
struct Counter;

const COUNT: State<u64> = State::new("count");

#[object]
impl Counter {
    pub async fn add(&self, ctx: &ObjectContext, amount: u64) -> Result<u64> {
        let total = COUNT.get(ctx).await?.unwrap_or(0) + amount;
        COUNT.set(ctx, total);
        Ok(total)
    }
}

/// Ten run steps per invocation.
struct Steps;

#[service]
impl Steps {
    pub async fn run10(&self, ctx: &Context) -> Result<u64> {
        let mut sum = 0;
        for step in 0..10 {
            sum += ctx.run("step", async || Ok(step)).await?;
        }
        Ok(sum)
    }
}

/// Five chained calls per invocation.
struct Chain;

#[service]
impl Chain {
    pub async fn call5(&self, ctx: &Context) -> Result<u64> {
        let mut answered = 0;
        for call in 0..5 {
            Echo::call().echo(ctx, format!("hello {call}")).await?;
            answered += 1;
        }
        Ok(answered)
    }
}

/// Accepts any input and returns nothing.
struct Sink;

#[service]
impl Sink {
    pub async fn take(&self, _ctx: &Context, _text: String) -> Result<()> {
        Live::start().finish();
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let tally = TcpListener::bind(args.tally).await;
    let tally = tally.with_context(|| format!("cannot listen on {}", args.tally))?;
    tokio::spawn(tally::serve(tally));
    let endpoint = Endpoint::new().bind(Echo).bind(Counter).bind(Steps).bind(Chain).bind(Sink);
    Ok(endpoint.serve(args.bind).await?)
}
