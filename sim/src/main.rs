//! `sim`: runs many seeds, or reruns a single one.

#![expect(clippy::print_stdout, reason = "results are printed for the user")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Parser;
use sim::{
    Fault, Limits, Sabotage, Stats,
    shrink::{fails, shrink, try_run},
};

/// A simulation makes many small allocations. Debug builds keep the default allocator, because
/// mimalloc's own debug checks are too slow there.
#[cfg(not(debug_assertions))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs the deterministic simulator.
#[derive(Parser)]
struct Args {
    /// Run only this seed, and shrink it if it fails.
    #[arg(long)]
    seed: Option<u64>,
    /// Number of seeds to run.
    #[arg(long, default_value_t = 2000)]
    seeds: u64,
    /// First seed to run.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Number of threads; each runs its own seeds.
    #[arg(long, default_value_t = 2)]
    threads: u64,
    /// Also lose messages between partitions, so that they have to be sent again.
    #[arg(long, conflicts_with = "sabotage")]
    lossy: bool,
    /// Disable each part of the design in turn, and report how many seeds it takes to notice.
    #[arg(long)]
    sabotage: bool,
    /// Disable only this part, named as in `limits.rs`.
    #[arg(long, requires = "sabotage")]
    only: Option<String>,
}

/// Failing seeds after which the run stops; more of them add no information.
const FAULTS_MAX: usize = 10;

/// From this many seeds on, every fault is expected to have had an effect at least once.
const ENOUGH_SEEDS: u64 = 300;

fn main() -> ExitCode {
    let args = Args::parse();
    match args.seed {
        Some(seed) => run_one(seed, &args.limits()),
        None if args.sabotage => run_sabotages(&args),
        None => run_many(&args),
    }
}

impl Args {
    fn limits(&self) -> Limits {
        Limits { lossy: self.lossy, ..Limits::default() }
    }
}

fn run_one(seed: u64, limits: &Limits) -> ExitCode {
    match try_run(seed, limits, None) {
        Ok(report) => {
            println!("{}seed {seed}: passed", report.stats);
            ExitCode::SUCCESS
        }
        Err(fault) => {
            println!("seed {seed}: {fault}");
            let (limits, fault) = shrink(seed, limits, None);
            println!("shrunk: {limits:?}\n{fault}");
            ExitCode::FAILURE
        }
    }
}

/// Results of all threads so far.
#[derive(Default)]
struct Found {
    faults: usize,
    passed: u64,
    stats: Stats,
}

fn run_many(args: &Args) -> ExitCode {
    let limits = args.limits();
    let started = Instant::now();
    let next = AtomicU64::new(args.from);
    let found = Mutex::new(Found::default());
    let lock = || found.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..args.threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= args.from + args.seeds || lock().faults >= FAULTS_MAX {
                        return;
                    }
                    let outcome = try_run(seed, &limits, None);
                    let mut found = lock();
                    match outcome {
                        Ok(report) => {
                            found.passed += 1;
                            found.stats.merge(&report.stats);
                        }
                        Err(fault) => {
                            println!("seed {seed}: {fault}");
                            found.faults += 1;
                        }
                    }
                }
            });
        }
    });
    let Found { faults, passed, stats } =
        found.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{stats}");
    let mut toothless = stats.toothless();
    toothless.retain(|fault| args.lossy || *fault != Fault::MessagesLost);
    let is_toothless = args.seeds >= ENOUGH_SEEDS && !toothless.is_empty();
    if is_toothless {
        println!("faults that never had an effect: {toothless:?}");
    }
    println!("{:.1} s", started.elapsed().as_secs_f64());
    println!("{passed} passed, {faults} failed");
    if faults == 0 && !is_toothless { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_sabotages(args: &Args) -> ExitCode {
    let mut is_all_noticed = true;
    let is_wanted = |sabotage: &Sabotage| {
        args.only.as_ref().is_none_or(|only| format!("{sabotage:?}") == *only)
    };
    for sabotage in Sabotage::ALL.into_iter().filter(is_wanted) {
        let limits = sabotage.limits();
        let seeds = args.from..args.from + args.seeds;
        let mut tried = 0;
        let noticed = seeds.into_iter().find_map(|seed| {
            tried += 1;
            fails(seed, &limits, Some(sabotage))
        });
        match noticed {
            Some(fault) => {
                let fault: String = fault.chars().take(150).collect();
                println!("{sabotage:?}: noticed after {tried} seeds: {fault}");
            }
            None => {
                println!("{sabotage:?}: not noticed within {tried} seeds");
                is_all_noticed = false;
            }
        }
    }
    if is_all_noticed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
