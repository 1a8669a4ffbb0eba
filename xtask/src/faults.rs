//! Injects faults into the real binary, at full scale. These are the tests in
//! `runtime/server/tests/injected`, which `cargo test` runs at a small scale.

use crate::{Result, cargo::cargo_with, option};

/// A fault run: its name, and the test that implements it.
struct Run {
    name: &'static str,
    test: &'static str,
    /// Options and their values at full scale; `--a-b` is passed to the test as `FAULTS_A_B`.
    options: &'static [(&'static str, &'static str)],
}

const RUNS: [Run; 4] = [
    Run {
        name: "awakeables",
        test: "awakeables::acknowledged_completions_survive_kills",
        options: &[
            ("--kills", "200"),
            ("--seed", "1"),
            ("--connections", "6"),
            ("--body-bytes", "3000000"),
        ],
    },
    Run {
        name: "disk",
        test: "disk::a_full_disk_refuses_new_work_and_goes_on_by_itself",
        options: &[("--rounds", "5"), ("--free-mb", "8"), ("--small-bytes", "200")],
    },
    Run {
        name: "clock",
        test: "clock::sleeps_and_delays_keep_their_time_whatever_the_clock_shows",
        options: &[
            ("--repeat", "3"),
            ("--samples", "5"),
            ("--late-ms", "100"),
            ("--more-ms", "2000"),
        ],
    },
    Run {
        name: "eio",
        test: "eio::a_disk_that_refuses_ends_the_process_and_loses_nothing",
        options: &[("--rounds", "10"), ("--seed", "1")],
    },
];

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let name = arguments.first().map(String::as_str).unwrap_or_default();
    let Some(run) = RUNS.iter().find(|run| run.name == name) else { return Err(usage()) };
    let mut environment = Vec::new();
    for (flag, default) in run.options {
        let value = option(arguments, flag).unwrap_or(default);
        value.parse::<u64>().map_err(|_| format!("{flag} requires a number, not '{value}'"))?;
        let variable = flag.trim_start_matches('-').replace('-', "_").to_uppercase();
        environment.push((format!("FAULTS_{variable}"), value));
    }
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(variable, value)| (variable.as_str(), *value)).collect();
    // Build the whole workspace, as everywhere else, so that nothing is recompiled with other
    // features.
    let test = ["test", "--workspace", "--test", "injected", "--", "--exact", "--nocapture"];
    cargo_with(&[&test[..], &[run.test]].concat(), &environment)
}

fn usage() -> String {
    let mut usage = "cargo xtask faults <run> [options]".to_owned();
    for run in &RUNS {
        let options: Vec<String> =
            run.options.iter().map(|(flag, default)| format!("[{flag} {default}]")).collect();
        usage += &format!("\n  {} {}", run.name, options.join(" "));
    }
    usage
}
