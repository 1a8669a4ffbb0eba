//! The command line tool: `run` measures servers in turn and prints a report, `report` prints it
//! again.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use benches::cli::{Cli, Command, LoadArgs};
use benches::load::closed_loop::ClosedLoop;
use benches::sample::{Part, parse_file};
use benches::{part, report};
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

/// One thread, because the load generator shares the machine with what it measures.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let command = Cli::parse().command;
    let local = LocalSet::new();
    let text = tokio::select! {
        text = local.run_until(execute(command)) => text?,
        // Dropping the run ends the servers that it has started.
        ended = ended() => return ended,
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

async fn execute(command: Command) -> anyhow::Result<String> {
    match command {
        Command::Run(args) => Box::pin(part::run(*args)).await,
        Command::Rows(mut args) => {
            args.parts = vec![Part::Rows];
            Box::pin(part::run(*args)).await
        }
        Command::Report { file } => {
            let text =
                fs::read_to_string(&file).with_context(|| format!("cannot read {file:?}"))?;
            Ok(report::render(&parse_file(&text)?))
        }
        Command::Load(args) => load(args).await,
    }
}

/// Waits for SIGINT or SIGTERM.
async fn ended() -> anyhow::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        _ = terminated.recv() => Ok(()),
    }
}

async fn load(args: LoadArgs) -> anyhow::Result<String> {
    let request = args.workload.request();
    let running = ClosedLoop::start(args.address, &request, args.concurrency, u64::MAX)?;
    tokio::time::sleep(Duration::from_secs_f64(args.warm)).await;
    running.start_recording();
    tokio::time::sleep(Duration::from_secs_f64(args.seconds)).await;
    running.stop_recording();
    let outcome = running.finish().await;
    Ok(format!(
        "{:.0} requests/s, p50 {:.2} ms, p99 {:.2} ms, {} errors\n",
        outcome.completed as f64 / args.seconds,
        outcome.latency_ms(0.5),
        outcome.latency_ms(0.99),
        outcome.errors
    ))
}
