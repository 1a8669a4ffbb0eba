//! A disk that fails: the process ends and reports it, and everything acknowledged is there after a
//! restart.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use runtime_seeded::Random;

use crate::{
    load::{Load, until},
    report,
    rig::{Rig, shim},
    services::{self, Told},
    size,
};

/// The faults: which calls fail, on files with this in their path, and the error that must be
/// reported.
const FAULTS: [(&str, &str, &str); 4] = [
    ("sync", ".seg", "the log cannot be written"),
    ("write", ".seg", "the log cannot be written"),
    ("sync", ".redb", "the tables cannot be written"),
    ("write", ".redb", "the tables cannot be written"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_refuses_ends_the_process_and_loses_nothing() {
    report("eio", run(size("ROUNDS", 1), size("SEED", 1))).await;
}

async fn run(rounds: u64, seed: u64) -> Result<String> {
    let mut random = Random::new(seed);
    let mut acknowledged = 0;
    for round in 1..=rounds {
        for (calls, path, says) in FAULTS {
            let after = Duration::from_millis(random.below(600));
            let one = refuse(calls, path, says, after);
            let (kept, code) = one.await.with_context(|| format!("EIO of {calls} on {path}"))?;
            println!(
                "eio: round {round}: {calls} on *{path}: {kept} acknowledged, ended with {code}"
            );
            acknowledged += kept;
        }
    }
    Ok(format!("{rounds} rounds, {acknowledged} acknowledged, each ran exactly once"))
}

async fn refuse(calls: &str, path: &str, says: &str, after: Duration) -> Result<(usize, i32)> {
    let dir = tempfile::tempdir()?;
    let now = dir.path().join("now");
    // Frequent checkpoints, so that tables are written, too.
    let mut rig = Rig::new(dir.path(), &dir.path().join("data"), "checkpoint-interval-ms = 50\n")?;
    rig.environment = vec![
        ("LD_PRELOAD".to_owned(), shim(dir.path(), "eio")?),
        ("SHIM_EIO_NOW".to_owned(), now.display().to_string()),
        ("SHIM_EIO_CALLS".to_owned(), calls.to_owned()),
        ("SHIM_EIO_PATH".to_owned(), path.to_owned()),
    ];
    rig.start().await?;
    rig.register(&services::serve(&Told::new()).await?).await?;
    let load = Load::new(&rig.server, 200);
    let tasks = load.start("eio", 6);
    until("something is acknowledged", || load.counts().acknowledged >= 20).await?;
    tokio::time::sleep(after).await; // A random moment under load: there is nothing to wait for.
    fs::write(&now, "")?;
    let refuses = Instant::now();
    let status = rig.ended().await?;
    load.stop();
    for task in tasks {
        task.await?;
    }
    ensure!(!status.success(), "it ended as if nothing was wrong");
    let code = status.code().with_context(|| format!("it ended with {status}"))?;
    let said = rig.said();
    ensure!(said.contains(says), "it does not say '{says}': {said}");
    ensure!(said.contains("error 5"), "it does not say what the disk said: {said}");
    if path == ".seg" {
        let late = load.acknowledged_after(refuses);
        ensure!(late == 0, "{late} were acknowledged by a log that refuses");
    }
    rig.environment.clear();
    rig.start().await?;
    let acknowledged = load.counts().acknowledged;
    load.check().await?;
    Ok((acknowledged, code))
}
