//! Tests everything that users rely on against a server, with services on the official SDKs and on
//! our own.

#![expect(clippy::print_stdout, reason = "results are printed for the user")]

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::Parser;
use e2e_harness::programs::target;
use e2e_suite::{
    bed::{Runtime, Setting, TestBed},
    behaviours::{Env, all},
    page,
    runner::{self, BehaviourResult},
    sdk::{SDKS, Sdk},
};

/// Runs the interop suite.
#[derive(Parser)]
struct Args {
    /// The server to test.
    #[arg(long, value_enum, default_value = "abide")]
    against: Runtime,
    /// The SDKs that the services use, separated by commas; all if absent.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = SDKS)]
    services: Vec<Sdk>,
    /// Newest service protocol version that the server may speak; if absent, 6 and 7 in turn, as
    /// far as the SDK speaks them.
    #[arg(long)]
    protocol: Option<u16>,
    /// Suspend at every wait.
    #[arg(long)]
    always_suspend: bool,
    /// Number of partitions of our server.
    #[arg(long, default_value_t = 2)]
    partitions: u16,
    /// Use HTTP/1.1 to talk to the services.
    #[arg(long)]
    http_11: bool,
    /// Run only behaviours whose name contains this.
    #[arg(long, default_value = "")]
    filter: String,
    /// Write the page with the results, `docs/sdks.md`, if nothing is wrong.
    #[arg(long, conflicts_with_all = ["against", "services", "protocol", "filter"])]
    record: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<bool> {
    let (mut passed, mut gaps, mut failed) = (0, 0, 0);
    for &sdk in &args.services {
        for protocol in protocols(args.protocol, sdk) {
            let outcomes = ask(&args, sdk, protocol).await?;
            for BehaviourResult { fault, gap, .. } in &outcomes {
                match (fault, gap) {
                    (Some(_), _) => failed += 1,
                    (None, Some(_)) => gaps += 1,
                    (None, None) => passed += 1,
                }
            }
        }
    }
    if args.record && failed == 0 {
        page::write()?;
        println!("{} is written", page::PATH);
    }
    println!("{gaps} known gaps of SDKs");
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

/// The versions that a server speaks with an SDK, unless one is asked for.
fn protocols(asked: Option<u16>, sdk: Sdk) -> Vec<u16> {
    let newest = sdk.newest_protocol();
    asked.map_or_else(|| (6..=newest).collect(), |protocol| vec![protocol.min(newest)])
}

/// Tests the behaviours with the services of an SDK, and prints each outcome.
async fn ask(args: &Args, sdk: Sdk, protocol: u16) -> Result<Vec<BehaviourResult>> {
    let against = args.against;
    println!("== {} services on {against:?}, protocol {protocol}", sdk.title());
    let dir = target().join(format!("interop/{against:?}-{sdk:?}-{protocol}"));
    let _ = std::fs::remove_dir_all(&dir);
    let setting = Setting {
        runtime: against,
        sdk,
        protocol,
        always_suspend: args.always_suspend,
        partitions: args.partitions,
        http_11: args.http_11,
        dir,
    };
    let env = Arc::new(Env::new(TestBed::open(setting).await?));
    let chosen = all().into_iter().filter(|behaviour| behaviour.name.contains(&args.filter));
    let report = |outcome: &BehaviourResult| {
        let BehaviourResult { name, fault, gap, took } = outcome;
        let took_ms = took.as_millis();
        match (fault, gap) {
            (None, None) => println!("ok    {name} ({took_ms} ms)"),
            (None, Some(why)) => println!("gap   {name}: {why}"),
            (Some(fault), _) => println!("FAULT {name} ({took_ms} ms): {fault}"),
        }
    };
    Ok(runner::run(env, chosen.collect(), report).await)
}
