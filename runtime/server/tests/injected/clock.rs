//! The wall clock is set forward and back, while the node runs and between two runs. Sleeps,
//! delayed sends and retries still take as long as requested.
//!
//! Only processes with the preloaded shim see the shifted time; the machine's clock is left alone.
//! An SDK computes the time at which a sleep ends, so it and the node have to agree on the time
//! when the sleep begins. `There` stands for a service on the node's machine. `Here` stands for one
//! whose clock is right, and is only called while the node's clock is right too, whatever it was
//! before.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e_harness::{ports, process::Process};
use serde_json::json;

use crate::{
    load::until,
    report,
    rig::{Rig, shim},
    services::{self, Told},
    size,
};

const HOUR: i64 = 3600;

/// Delay between two samples of a kind, of which there are five at full size.
const STAGGER: Duration = Duration::from_millis(100);

/// By then, all samples have started and none has ended.
const MEANWHILE: Duration = Duration::from_millis(700);

#[tokio::test(flavor = "multi_thread")]
async fn sleeps_and_delays_keep_their_time_whatever_the_clock_shows() {
    report("clock", run(size("REPEAT", 1), size("LATE_MS", 10_000))).await;
}

async fn run(repeat: u64, late_ms: u64) -> Result<String> {
    let mut cases = 0;
    for _ in 0..repeat {
        let dir = tempfile::tempdir()?;
        let mut machine = Machine::new(dir.path(), late_ms)?;
        cases += machine.live_through_hours().await?;
        drop(machine);
        let dir = tempfile::tempdir()?;
        cases += Machine::new(dir.path(), late_ms)?.begin_behind().await?;
    }
    Ok(format!("{cases} times measured, none early by 0.1 % or late by 0.1 % and {late_ms} ms"))
}

/// A node and a service that see the same shifted time.
struct Machine {
    rig: Rig,
    told: Told,
    there: Service,
    here: Option<String>,
    offset: PathBuf,
    late_ms: u64,
    names: u64,
}

/// A service in a process of its own, and its address.
struct Service {
    _process: Process,
    uri: String,
}

impl Machine {
    fn new(dir: &Path, late_ms: u64) -> Result<Self> {
        let offset = dir.join("offset");
        fs::write(&offset, 0_i64.to_le_bytes())?;
        let mut rig = Rig::new(dir, &dir.join("data"), "")?;
        rig.environment = vec![
            ("LD_PRELOAD".to_owned(), shim(dir, "clock")?),
            ("SHIM_CLOCK".to_owned(), offset.display().to_string()),
        ];
        let bind = ports::free()?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["--ignored", "--exact", "services::there"])
            .envs(rig.environment.iter().cloned())
            .env("FAULTS_BIND", bind.to_string())
            .stdout(Stdio::null());
        let process = Process::spawn("the service", command)?;
        let there = Service { _process: process, uri: format!("http://{bind}") };
        Ok(Self { rig, told: Told::new(), there, here: None, offset, late_ms, names: 0 })
    }

    /// Shifts the clock by this many seconds from the right time.
    fn set(&self, seconds: i64) -> Result<()> {
        println!("clock: set to {seconds:+} s");
        let file = fs::File::options().write(true).open(&self.offset)?;
        // An aligned write of eight bytes is atomic: the shim reads either the old or the new
        // number.
        file.write_all_at(&(seconds * 1_000_000).to_le_bytes(), 0)?;
        Ok(())
    }

    async fn start(&mut self) -> Result<()> {
        self.rig.start().await?;
        if self.here.is_none() {
            let here = services::serve(&self.told).await?;
            self.rig.register(&here).await?;
            let server = self.rig.server.clone();
            let (rig, there) = (&self.rig, &self.there.uri);
            server.eventually(|| rig.register(there)).await?;
            self.here = Some(here);
        }
        Ok(())
    }

    /// Sets the clock forward and back while the node runs, then across restarts.
    async fn live_through_hours(&mut self) -> Result<usize> {
        self.start().await?;
        let mut cases = self.measure("nothing is set", true, None).await?;
        cases += self.measure("an hour forward meanwhile", true, Some(HOUR)).await?;
        cases += self.measure("an hour ahead", false, None).await?;
        cases += self.measure("an hour back meanwhile", false, Some(0)).await?;
        cases += self.measure("right again", true, None).await?;
        cases += self.measure("an hour back from there meanwhile", true, Some(-HOUR)).await?;
        cases += self.measure("an hour behind", false, None).await?;
        self.rig.kill()?;
        self.set(HOUR)?;
        self.start().await?;
        cases += self.measure("two hours forward over a restart", false, None).await?;
        self.rig.kill()?;
        self.set(0)?;
        self.start().await?;
        cases += self.measure("an hour back over a restart", true, None).await?;
        Ok(cases)
    }

    /// Starts before the machine has the right time.
    async fn begin_behind(&mut self) -> Result<usize> {
        self.set(-30)?;
        self.start().await?;
        let mut cases = self.measure("30 s behind", false, None).await?;
        cases += self.measure("stepped right meanwhile", false, Some(0)).await?;
        cases += self.measure("right after 30 s behind", true, None).await?;
        Ok(cases)
    }

    /// Starts all samples, sets the clock in between if requested, and measures with the monotonic
    /// clock.
    async fn measure(&mut self, when: &str, is_right: bool, then: Option<i64>) -> Result<usize> {
        self.names += 1;
        let samples: u32 = size("SAMPLES", 2);
        let mut tasks = Vec::new();
        // How long each sample should take: one second, at full size also two.
        for wanted_ms in [1000, size("MORE_MS", 0)].into_iter().filter(|wanted_ms| *wanted_ms > 0) {
            let handlers = if is_right { &["Here", "There"][..] } else { &["There"] };
            let sleeps = handlers.iter().map(|handler| What::Sleep(handler));
            for what in sleeps.chain([What::Delay, What::Retry]) {
                for sample in 0..samples {
                    let name = format!("{}-{wanted_ms}-{what:?}-{sample}", self.names);
                    let (server, told) = (self.rig.server.clone(), self.told.clone());
                    let took = tokio::spawn(async move {
                        // Staggered, so that a busy moment of the machine does not affect all
                        // samples.
                        tokio::time::sleep(STAGGER * sample).await;
                        took(server, told, what, name, wanted_ms).await
                    });
                    tasks.push((what, wanted_ms, took));
                }
            }
        }
        if let Some(seconds) = then {
            tokio::time::sleep(MEANWHILE).await;
            self.set(seconds)?;
        }
        let (cases, mut least, mut most) = (tasks.len(), f64::MAX, f64::MIN);
        let mut late = std::collections::BTreeMap::<_, f64>::new();
        for (what, wanted_ms, task) in tasks {
            let took =
                task.await?.with_context(|| format!("{when}: {what:?} of {wanted_ms} ms"))?;
            let by_ms = (took.as_secs_f64() * 1000.0) - wanted_ms as f64;
            let share_ms = wanted_ms as f64 / 1000.0;
            // An SDK counts in whole milliseconds.
            ensure!(by_ms >= -share_ms - 1.0, "{when}: {what:?} of {wanted_ms} ms took {took:?}");
            (least, most) = (least.min(by_ms), most.max(by_ms));
            let best = late.entry((what, wanted_ms)).or_insert(f64::MAX);
            *best = best.min(by_ms - share_ms);
        }
        // A busy machine delays some samples; a wrong clock shifts all of them. So the best one
        // counts.
        for ((what, wanted_ms), late_ms) in late {
            let is_in_time = late_ms <= self.late_ms as f64;
            ensure!(is_in_time, "{when}: {what:?} of {wanted_ms} ms were {late_ms:.0} ms late");
        }
        println!("clock: {when}: {cases} took {least:+.1} to {most:+.1} ms more than they should");
        Ok(cases)
    }
}

/// An operation whose duration is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A sleep in this service.
    Sleep(&'static str),
    /// A delayed send.
    Delay,
    /// The delay before a retry.
    Retry,
}

/// Runs an operation and returns how long it took.
async fn took(
    server: e2e_client::Server,
    told: Told,
    what: What,
    name: String,
    wanted_ms: u64,
) -> Result<Duration> {
    let begun = Instant::now();
    match what {
        What::Sleep(service) => {
            server.call(&format!("/{service}/sleep"), json!(wanted_ms)).await?;
            Ok(begun.elapsed())
        }
        What::Delay => {
            let path = format!("/Timer/mark/send?delay={wanted_ms}ms");
            server.post(&path, &json!(name)).await?.ok()?;
            until("a delayed send runs", || !told.moments(&name).is_empty()).await?;
            Ok(told.moments(&name)[0] - begun)
        }
        What::Retry => {
            server.call("/Timer/again", json!([name, wanted_ms])).await?;
            let moments = told.moments(&name);
            ensure!(moments.len() == 2, "it was tried {} times", moments.len());
            Ok(moments[1] - moments[0])
        }
    }
}
