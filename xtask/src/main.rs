//! This repository's chores: `cargo xtask <chore>`, and `cargo demo`.

#![expect(clippy::print_stdout, reason = "chores print for the user")]

mod attacks;
mod cargo;
mod chaos;
mod ci;
mod demo;
mod faults;
mod fuzz;
mod json;
mod layers;
mod mutants;
mod setup;
mod tidy;

use std::process::{Command, ExitCode};

use e2e_harness::programs;

/// The result of a chore; the error is a message.
pub(crate) type Result<T> = std::result::Result<T, String>;

const USAGE: &str = "\
cargo xtask <chore>
  demo [--once] [--orders N]      orders complete while the runtime is killed and restarted
  chaos [--orders N] [--kills N] [--victim runtime|services] [--sdk abide|official] [--seed N]
        [--server-arg ARG]...
                                  many orders and many kills, then everything is checked
  sim [...]                       the simulator: --seeds N, --seed N, --help
  interop [--services NAME,...] [--against restate] [--record] [...]
                                  services on each SDK, against abide or the real server; --record
                                  writes docs/sdks.md, --help
  surface [--record] [--cli]      each request of the API compared with the real server; --record records
                                  the real server again, --cli runs its command line tool against ours
  drivers [--only NAME]           PostgreSQL's drivers and tools against our server
  faults <run> [...]              kills, full disks, wall clock steps, failing disks
  attacks                         hostile and faulty clients next to a well-behaved one
  fuzz [--target stream|text] [--seconds N]
                                  random bytes and strings for the protocol's decoders
  mutants [--only TEXT] [--from N]
                                  one-line mutations of the durable core, which the tests must notice
  loom                            all thread interleavings, with a model checker
  bench [...]                     the load report: run, rows, load, --help
  tidy                            checks that the compiler does not make
  ci                              everything that has to pass";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (chore, rest) = match arguments.split_first() {
        Some((chore, rest)) => (chore.as_str(), rest),
        None => ("", &arguments[..]),
    };
    let outcome = match chore {
        "demo" => demo::run(rest),
        "chaos" => chaos::run(rest),
        "sim" => forward("sim", "sim", rest),
        "interop" => forward("e2e-suite", "e2e-suite", rest),
        "surface" => forward("e2e-suite", "surface", rest),
        "drivers" => forward("e2e-suite", "drivers", rest),
        "bench" => forward("benches", "benches", rest),
        "mutants" => mutants::run(rest),
        "loom" => ci::loom(),
        "faults" => faults::run(rest),
        "attacks" => attacks::run(),
        "fuzz" => fuzz::run(rest),
        "tidy" => tidy::run(),
        "ci" => ci::run(),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Builds everything as the demo and the tests do, then runs a program of the workspace.
fn forward(package: &str, binary: &str, arguments: &[String]) -> Result<()> {
    cargo::build(&["--all-targets"])?;
    let mut command = Command::new(programs::binary(binary));
    command.args(arguments);
    let status = command.status().map_err(|error| format!("{package}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{package}: {status}")) }
}

/// The value that follows a flag, if the flag is present.
pub(crate) fn option<'a>(arguments: &'a [String], flag: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| argument == flag)?;
    arguments.get(at + 1).map(String::as_str)
}

/// The number that follows a flag, or `default`.
pub(crate) fn number(arguments: &[String], flag: &str, default: u64) -> Result<u64> {
    match option(arguments, flag) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| format!("{flag} requires a number, not '{text}'")),
    }
}
