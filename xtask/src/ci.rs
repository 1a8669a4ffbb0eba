//! Everything that has to pass, one step after another.

use std::time::Instant;

use crate::{
    Result,
    cargo::{cargo, cargo_with},
    chaos, demo, forward, tidy,
};

pub(crate) fn run() -> Result<()> {
    step("format", || cargo(&["fmt", "--all", "--", "--check"]))?;
    step("tidy", tidy::run)?;
    step("psql", || match std::process::Command::new("psql").arg("--version").status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) | Err(_) => Err("the tests need psql: install PostgreSQL's client".into()),
    })?;
    step("lints", || cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    step("documentation", || {
        let warnings = [("RUSTDOCFLAGS", "-D warnings")];
        cargo_with(&["doc", "--workspace", "--no-deps"], &warnings)
    })?;
    // The commands of the README, in the same order.
    step("demo", || demo::run(&["--once".to_owned()]))?;
    step("tests", || cargo(&["test", "--workspace"]))?;
    step("thread interleavings", loom)?;
    // The tests have had the services in Rust.
    step("interop, other languages", || {
        let arguments = ["--services", "typescript,python,go,java", "--protocol", "7"];
        forward("e2e-suite", "e2e-suite", &arguments.map(str::to_owned))
    })?;
    step("the official command line", || forward("e2e-suite", "surface", &["--cli".to_owned()]))?;
    step("drivers", || forward("e2e-suite", "drivers", &[]))?;
    step("chaos, small", || chaos::run(&["--orders", "60", "--kills", "20"].map(str::to_owned)))
}

/// Explores all thread interleavings with a model checker.
pub(crate) fn loom() -> Result<()> {
    let features = "runtime-partition/loom,runtime-invoker/loom";
    cargo(&[
        "test",
        "-p",
        "runtime-partition",
        "-p",
        "runtime-invoker",
        "--features",
        features,
        "--lib",
        "loom",
    ])
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("==== {name}");
    let started = Instant::now();
    work().map_err(|error| format!("{name} failed: {error}"))?;
    println!("==== {name}: {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}
