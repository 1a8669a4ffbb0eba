//! The benchmark services on our own SDK, to be set beside the same on the official one: a
//! difference between two columns of the report is then a difference between two SDKs.

use std::net::SocketAddr;

use abide_sdk::prelude::*;
use anyhow::Context as _;
use benches::tally::{self, Live};
use clap::Parser;
use tokio::net::TcpListener;

/// Serves the benchmark services until it is ended.
#[derive(Parser)]
struct Args {
    /// Where the runtime reaches the services.
    #[arg(long, default_value = "127.0.0.1:23010")]
    bind: SocketAddr,
    /// Where the load generator reads the tally of started, finished and live handlers.
    #[arg(long, default_value = "127.0.0.1:23011")]
    tally: SocketAddr,
    /// Taken for the sake of the other program; this SDK sets it always.
    #[arg(long)]
    nodelay: bool,
}

/// Answers with what it was given.
struct Echo;

#[service]
impl Echo {
    pub async fn echo(&self, _ctx: &Context, text: String) -> Result<String> {
        Ok(text)
    }
}

/// A number under each key.
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

/// Takes anything and answers nothing.
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
