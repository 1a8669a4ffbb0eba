//! `abide`: the server and its command line, the only binary and the only place that wires.
//!
//! Reading order: [`args`] (what was typed), [`config`] (what it means), [`data_dir`] (whose data it
//! is), [`node`] (everything built in order), [`edges`] (effects to the invoker and the registry),
//! [`shutdown`], [`panics`].

mod args;
mod config;
mod data_dir;
mod descriptors;
mod discovery;
mod edges;
mod node;
mod panics;
mod shutdown;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;
use rustix::fs::Mode;

use args::{Args, Serve, Verb};
use config::{Config, settings::Environment};

/// Rows, frames and tasks are many small allocations that one thread makes and another one frees: half
/// again as cheap here as with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    panics::end_the_process();
    let Args { verb } = Args::parse();
    let outcome = match verb {
        Verb::Serve(serve) => run(&serve),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The whole chain on one line: what was wanted, and why it can't be had.
            telemetry::complain(format_args!("abide: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// What is written here holds clients' headers and payloads: it is nobody else's.
const OTHERS: Mode = Mode::RWXG.union(Mode::RWXO);

fn run(serve: &Serve) -> anyhow::Result<()> {
    let environment = Environment::of_process()?;
    telemetry::start(&environment)?;
    rustix::process::umask(OTHERS);
    for name in environment.unknown() {
        tracing::warn!(
            "the environment has {name}, which sets nothing; abide serve --help has what does"
        );
    }
    node::run(Config::resolve(serve, &environment)?)
}
