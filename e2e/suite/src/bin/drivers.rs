//! Tests PostgreSQL's drivers, and the queries of tools that browse databases, against our server.

#![expect(clippy::print_stdout, reason = "results are printed for the user")]

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;
use e2e_harness::programs::target;
use e2e_suite::{
    bed::{Runtime, Setting, TestBed},
    drivers::{programs, rows, tools},
    sdk::Sdk,
};

/// Tests SQL through PostgreSQL's drivers and tools.
#[derive(Parser)]
struct Args {
    /// Test only this.
    #[arg(long, value_parser = ["python", "node", "java", "dbeaver", "grafana", "metabase"])]
    only: Option<String>,
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

async fn run(Args { only }: Args) -> Result<()> {
    let dir = target().join("drivers/bed");
    let _ = std::fs::remove_dir_all(&dir);
    let setting = Setting {
        runtime: Runtime::Abide,
        sdk: Sdk::Rust,
        protocol: 6,
        always_suspend: true,
        partitions: 2,
        http_11: false,
        dir,
    };
    let bed = TestBed::open(setting).await?;
    rows::make(&bed.server).await?;
    let sql = bed.sql();
    let is_wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    let mut faults = Vec::new();
    let mut note = |about: String, outcome: Result<()>| match outcome {
        Ok(()) => println!("ok    {about}"),
        Err(fault) => {
            println!("FAULT {about}: {fault:#}");
            faults.push(about);
        }
    };
    note("pg_isready".to_owned(), tools::is_ready(sql));
    for tool in tools::TOOLS.into_iter().filter(|tool| is_wanted(tool)) {
        for (about, outcome) in tools::ask(tool, sql)? {
            note(format!("{tool}: {about}"), outcome);
        }
    }
    let languages: [(&str, programs::Start); 3] =
        [("python", programs::in_python), ("node", programs::in_node), ("java", programs::in_java)];
    for (language, start) in languages.into_iter().filter(|(language, _)| is_wanted(language)) {
        let outcome = programs::run(start(sql, &bed.server.ingress)?, |line| println!("{line}"));
        note(format!("all of {language}"), outcome);
    }
    ensure!(faults.is_empty(), "{} faults: {}", faults.len(), faults.join("; "));
    Ok(())
}
