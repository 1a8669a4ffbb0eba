//! Builds the fuzz targets of `protocol/fuzz` with coverage instrumentation and runs one of them.
//! This works on the stable toolchain, since libFuzzer needs nothing else.

use std::fs;
use std::process::Command;

use e2e_harness::programs::{root, target};

use crate::{Result, cargo::run as finish, number, option};

/// Flags that make a program report the edges it takes to libFuzzer.
const INSTRUMENTATION: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 --cfg fuzzing";

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let seconds = number(arguments, "--seconds", 30)?;
    let only = option(arguments, "--target");
    for name in ["stream", "text"] {
        if only.is_none_or(|only| only == name) {
            fuzz(name, seconds)?;
        }
    }
    Ok(())
}

fn fuzz(name: &str, seconds: u64) -> Result<()> {
    let room = root().join("protocol/fuzz");
    let built = target().join("fuzz");
    let corpus = built.join("corpus").join(name);
    fs::create_dir_all(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
    // With an explicit target, build scripts and macros are not instrumented.
    let host = host()?;
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--bin", name, "--target", &host]).current_dir(&room);
    build.env("CARGO_TARGET_DIR", &built).env("RUSTFLAGS", INSTRUMENTATION);
    finish(&mut build)?;
    let mut fuzz = Command::new(built.join(&host).join("release").join(name));
    fuzz.arg(&corpus).arg(format!("-max_total_time={seconds}")).arg("-print_final_stats=1");
    // Findings are stored next to the corpus.
    fuzz.arg(format!("-artifact_prefix={}/", built.display()));
    finish(&mut fuzz)
}

fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.map_err(|error| format!("rustc cannot be started: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not report its host".to_owned())
}
