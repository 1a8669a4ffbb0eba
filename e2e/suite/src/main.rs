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
    runner,
    sdk::{SDKS, Sdk},
};

/// Runs the interop suite.
#[derive(Parser)]
struct Args {
    /// The server to test.
    #[arg(long, value_enum, default_value = "abide")]
    against: Runtime,
    /// The SDK that the services use; all if absent.
    #[arg(long, value_enum)]
    services: Option<Sdk>,
    /// Newest service protocol version that the server may speak; 6 and 7 if absent.
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
    let sdks = args.services.map_or_else(|| SDKS.to_vec(), |sdk| vec![sdk]);
    let protocols = args.protocol.map_or_else(|| vec![6, 7], |protocol| vec![protocol]);
    let (mut passed, mut failed) = (0, 0);
    for sdk in sdks {
        for &protocol in &protocols {
            let against = args.against;
            println!("== {sdk:?} services on {against:?}, protocol {protocol}");
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
            let chosen =
                all().into_iter().filter(|behaviour| behaviour.name.contains(&args.filter));
            let outcomes = runner::run(env, chosen.collect(), |outcome| {
                let took_ms = outcome.took.as_millis();
                match &outcome.fault {
                    None => println!("ok    {} ({took_ms} ms)", outcome.name),
                    Some(fault) => println!("FAULT {} ({took_ms} ms): {fault}", outcome.name),
                }
            })
            .await;
            let faults = outcomes.iter().filter(|outcome| outcome.fault.is_some()).count();
            failed += faults;
            passed += outcomes.len() - faults;
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}
