//! Sends every request of the public surface: records the responses of the real server, or compares
//! ours with them.

#![expect(clippy::print_stdout, reason = "results are printed for the user")]

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;
use e2e_harness::programs::target;
use e2e_suite::{
    bed::{Runtime, Setting, TestBed},
    sdk::Sdk,
    surface::{
        case::{self, Recorded},
        cli, play,
    },
};

/// Tests the public surface, request by request.
#[derive(Parser)]
struct Args {
    /// Send the requests to the real server, and record its responses.
    #[arg(long)]
    record: bool,
    /// Record the responses of our server where they differ; the reasons must then be filled in by
    /// hand.
    #[arg(long, conflicts_with = "record")]
    excuse: bool,
    /// Run the official command line tool against our server.
    #[arg(long, conflicts_with_all = ["record", "excuse"])]
    cli: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<()> {
    let runtime = if args.record { Runtime::Restate } else { Runtime::Abide };
    let bed = open(runtime).await?;
    if args.cli {
        for line in cli::check(&bed).await? {
            println!("ok    {line}");
        }
        return Ok(());
    }
    let mut files = case::read_all()?;
    let seen = play::play(&bed, &files).await?;
    if args.record || args.excuse {
        let cases = files.iter_mut().flat_map(|file| &mut file.cases);
        cases.zip(&seen).for_each(|(case, seen)| note(case, seen, args.record));
        return files.iter().try_for_each(case::File::write);
    }
    let faults = play::compare(&files, &seen);
    let cases = files.iter().flat_map(|file| &file.cases);
    let on_purpose = cases.filter(|case| case.ours.is_some()).count();
    println!("{} requests, {on_purpose} of them deliberately answered differently", seen.len());
    ensure!(faults.is_empty(), "{} answers are wrong:\n{}", faults.len(), faults.join("\n"));
    Ok(())
}

fn note(case: &mut case::Case, seen: &Recorded, is_real: bool) {
    if is_real {
        case.answer = Some(seen.clone());
        if case.ours == case.answer {
            (case.ours, case.why) = (None, None);
        }
    } else if case.answer.as_ref() == Some(seen) {
        (case.ours, case.why) = (None, None);
    } else {
        case.ours = Some(seen.clone());
        case.why.get_or_insert_default();
    }
}

async fn open(runtime: Runtime) -> Result<TestBed> {
    let dir = target().join(format!("surface/{runtime:?}"));
    let _ = std::fs::remove_dir_all(&dir);
    let setting = Setting {
        runtime,
        sdk: Sdk::Rust,
        protocol: 6,
        always_suspend: false,
        partitions: 2,
        http_11: false,
        dir,
    };
    TestBed::open_unregistered(setting).await
}
