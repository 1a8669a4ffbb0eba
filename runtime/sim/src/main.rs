//! `sim`: runs many worlds, or one again.

#![expect(clippy::print_stdout, reason = "the outcomes are for whoever runs it")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use runtime_sim::{
    Limits,
    shrink::{fails, shrink},
};

/// The simulator.
#[derive(Parser)]
struct Args {
    /// Run this one world, and make it smaller if it fails.
    #[arg(long)]
    seed: Option<u64>,
    /// Run so many worlds.
    #[arg(long, default_value_t = 2000)]
    seeds: u64,
    /// Begin with this one.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Threads; each runs worlds of its own.
    #[arg(long, default_value_t = 2)]
    threads: u64,
}

/// More faults than this are of no use.
const FAULTS_MAX: usize = 10;

fn main() -> ExitCode {
    let args = Args::parse();
    let limits = Limits::default();
    // A world that panics has a fault, which is reported below.
    std::panic::set_hook(Box::new(|_| ()));
    if let Some(seed) = args.seed {
        return match fails(seed, &limits, None) {
            None => {
                println!("seed {seed}: all is as it must be");
                ExitCode::SUCCESS
            }
            Some(fault) => {
                println!("seed {seed}: {fault}");
                let (limits, fault) = shrink(seed, &limits, None);
                println!("smaller: {limits:?}\n{fault}");
                ExitCode::FAILURE
            }
        };
    }
    let started = Instant::now();
    let next = AtomicU64::new(args.from);
    let faults = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..args.threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let mut known = faults.lock().unwrap_or_else(|poison| poison.into_inner());
                    if seed >= args.from + args.seeds || known.len() >= FAULTS_MAX {
                        return;
                    }
                    drop(known);
                    if let Some(fault) = fails(seed, &limits, None) {
                        println!("seed {seed}: {fault}");
                        known = faults.lock().unwrap_or_else(|poison| poison.into_inner());
                        known.push(seed);
                    }
                }
            });
        }
    });
    let failed = faults.into_inner().map_or(0, |faults| faults.len());
    let passed = args.seeds - failed as u64;
    println!("{:.1} s", started.elapsed().as_secs_f64());
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
