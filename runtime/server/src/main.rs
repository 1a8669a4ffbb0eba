//! `abide`: the server and its command line. This is the only binary, and the only place where the
//! parts are wired together.
//!
//! Reading order: [`args`] (the command line), [`config`] (the resolved configuration),
//! [`data_dir`] (the data directory) and [`formats`] (which versions' data can be read), [`restore`]
//! (a data directory made from a backup), [`doctor`] (what is wrong), [`descriptors`] (limits of files), [`node`] (startup
//! and shutdown), [`edges`] (effects to the invoker and the registry), [`discovery`] (calls to
//! endpoints for the admin API), [`shutdown`], [`panics`], [`telemetry`].

mod args;
mod config;
mod data_dir;
mod descriptors;
mod discovery;
mod doctor;
mod edges;
mod formats;
mod memory_watch;
mod node;
mod panics;
mod restore;
mod shutdown;
mod sql;
mod telemetry;
mod wire;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use rustix::fs::Mode;

use args::{Args, Serve, Verb};
use config::{Config, settings::Environment};

/// Rows, frames and tasks are many small allocations that one thread makes and another frees. Here
/// mimalloc is half again as cheap as the system allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    panics::end_the_process();
    descriptors::have_large_files_fail();
    let Args { verb } = Args::try_parse().unwrap_or_else(|error| cli::explained(error).exit());
    let outcome = match verb {
        Verb::Serve(serve) => run(&serve),
        Verb::Restore(flags) => {
            rustix::process::umask(OTHERS);
            restore::run(&flags)
        }
        Verb::Doctor(flags) => return doctor::run(&flags),
        Verb::Client(command) => return cli::run(&command, Args::command()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The whole error chain on one line: what was attempted, and why it failed.
            telemetry::complain(format_args!("abide: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Permission bits to mask. Files written here hold clients' headers and payloads, which other
/// users must not read.
const OTHERS: Mode = Mode::RWXG.union(Mode::RWXO);

fn run(serve: &Serve) -> anyhow::Result<()> {
    let environment = Environment::of_process()?;
    telemetry::start(&environment)?;
    rustix::process::umask(OTHERS);
    for name in environment.unknown() {
        tracing::warn!(
            "the environment variable {name} has no effect; docs/configuration.md lists those that do"
        );
    }
    node::run(Config::resolve(serve, &environment)?)
}
