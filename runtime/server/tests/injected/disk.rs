//! A full disk: new work is refused, reads and operator requests continue, running work is held,
//! and nothing acknowledged is lost. Everything resumes by itself once there is free space.
//!
//! The disk is a tmpfs in a mount namespace of its own, which goes away with the process, however
//! that ends.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{
    Arc,
    mpsc::{self, RecvTimeoutError},
};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use http::Method;
use serde_json::json;

use crate::{
    load::{Load, Submitted, until},
    report,
    rig::Rig,
    services::{self, Told},
    size,
};

/// Small enough to fill quickly.
const DISK_MB: u64 = 64;

/// How often the ballast takes space that others have freed.
const GROW_EVERY: Duration = Duration::from_millis(2);

/// Attempts in progress when the disk is full.
const HELD: usize = 4;

#[test]
fn a_full_disk_refuses_new_work_and_goes_on_by_itself() {
    let ways: [&[&str]; 2] = [&["--mount"], &["--mount", "--map-root-user"]];
    let may_mount = |way: &&[&str]| {
        let mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/tmp"];
        let tried = Command::new("unshare").args(*way).args(mount).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    let way = ways.into_iter().find(may_mount);
    let way = way.expect("a tmpfs cannot be mounted here, not even in a namespace: run as root");
    let status = Command::new("unshare")
        .args(way)
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "disk::in_a_namespace"])
        .env("FAULTS_IN_A_NAMESPACE", "1")
        .status();
    assert!(status.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it is a process of disk::a_full_disk_refuses_new_work_and_goes_on_by_itself"]
async fn in_a_namespace() {
    assert!(size("IN_A_NAMESPACE", 0) == 1, "it mounts, so it runs where nobody else sees it");
    for round in 1..=size("ROUNDS", 1) {
        for body_bytes in [size("SMALL_BYTES", 8_000), 100_000] {
            let run = run(body_bytes, size("FREE_MB", 4));
            report(&format!("disk: round {round}: requests of {body_bytes} bytes"), run).await;
        }
    }
}

async fn run(body_bytes: usize, free_mb: u64) -> Result<String> {
    let dir = tempfile::tempdir()?;
    let mount = Mount::new(&dir.path().join("disk"))?;
    let settings = "log-segment-bytes = 4194304\ncheckpoint-interval-ms = 200\n";
    let mut rig = Rig::new(dir.path(), &mount.0.join("data"), settings)?;
    rig.start().await?;
    let told = Told::new();
    rig.register(&services::serve(&told).await?).await?;
    let load = Load::new(&rig.server, body_bytes);
    let mut stage = DiskSetup { rig, told, load, mount, acknowledged: 0, refused: 0 };
    for (end, name) in [(End::Room, "room"), (End::Kill, "kill"), (End::KillTwice, "twice")] {
        let lived = stage.live(name, free_mb, end).await;
        lived.with_context(|| format!("{name}; it said: {}", stage.rig.said()))?;
    }
    let died = stage.die_filling("filling", free_mb).await;
    died.with_context(|| format!("filling; it said: {}", stage.rig.said()))?;
    let DiskSetup { acknowledged, refused, .. } = stage;
    Ok(format!("{acknowledged} acknowledged and run exactly once, {refused} refused and not run"))
}

/// What happens to a node on a full disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Space is freed.
    Room,
    /// The node is killed and restarted on the full disk, and then space is freed.
    Kill,
    /// The same, with a second kill before space is freed.
    KillTwice,
}

struct DiskSetup {
    rig: Rig,
    told: Told,
    load: Arc<Load>,
    mount: Mount,
    acknowledged: usize,
    refused: usize,
}

/// Invocations that exist before the disk is full.
struct Cast {
    /// Completed, with an idempotency key.
    kept: String,
    /// In the middle of a step.
    held: Vec<String>,
    to_cancel: String,
    to_kill: String,
    to_delete: String,
}

impl DiskSetup {
    async fn live(&mut self, name: &str, free_mb: u64, end: End) -> Result<()> {
        let cast = self.cast(name).await?;
        let mut ballast = self.mount.ballast(free_mb)?;
        let tasks = self.load.start(name, 6);
        let is_refused = || tasks.iter().any(tokio::task::JoinHandle::is_finished);
        // On a slow machine, a checkpoint of the tables may hit the full disk before 20 are
        // acknowledged.
        let are_taken = || match self.load.counts().acknowledged {
            0 => false,
            acknowledged => acknowledged >= 20 || is_refused(),
        };
        until("some requests are taken", are_taken).await?;
        ballast.grow()?;
        until("new work is refused by all partitions", is_refused).await?;
        self.look(&cast, name).await.context("while the disk is full")?;
        let mut restarts = 0;
        if end != End::Room {
            for _ in 0..if end == End::Kill { 1 } else { 2 } {
                self.rig.kill()?;
                restarts += u64::from(self.start_full().await.context("while the disk is full")?);
            }
        }
        drop(ballast);
        if end != End::Room && restarts == 0 {
            self.rig.start().await.context("with room again")?;
        }
        self.load.stop();
        self.told.open(name);
        let rig = &self.rig;
        let server = &rig.server;
        let ready = || async {
            let ready = rig.admin("/health/ready").await?;
            ensure!(ready.status == 200, "{}", String::from_utf8_lossy(&ready.body));
            Ok(())
        };
        server.eventually(ready).await.context("it does not go on by itself")?;
        for task in tasks {
            task.await?;
        }
        for id in &cast.held {
            let output = format!("/restate/invocation/{id}/output");
            let ended = server.eventually(|| async { server.get(&output).await?.ok() }).await;
            let ended = ended.with_context(|| format!("LOST: {id}, which was under way"))?;
            ensure!(ended == json!(2), "{id} ended with {ended}");
        }
        for (id, status) in [(&cast.to_cancel, 409), (&cast.to_kill, 409), (&cast.to_delete, 409)] {
            let output = format!("/restate/invocation/{id}/output");
            let ended = || async { server.get(&output).await?.expect_failure(status, "") };
            server.eventually(ended).await.with_context(|| format!("{id} was ended"))?;
        }
        let after = self.load.ask(&format!("{name}-after"), true).await;
        ensure!(after == Submitted::Acknowledged, "it takes no new work");
        let counts = self.load.counts();
        println!("disk: {name}: {counts:?}, {} MB free", self.mount.free_bytes()? >> 20);
        self.acknowledged += counts.acknowledged;
        self.refused += counts.refused;
        self.load.check().await
    }

    /// Kills the node in the middle of its work, so that recovery has to write to a full disk.
    async fn die_filling(&mut self, name: &str, free_mb: u64) -> Result<()> {
        let mut ballast = self.mount.ballast(free_mb)?;
        let tasks = self.load.start(name, 6);
        until("some requests are taken", || self.load.counts().acknowledged >= 20).await?;
        ballast.grow()?;
        self.rig.kill()?;
        self.load.stop();
        until("the disk is full", || self.mount.free_bytes().is_ok_and(|free| free == 0)).await?;
        let is_up = self.start_full().await?;
        drop(ballast);
        if !is_up {
            self.rig.start().await.context("with room again")?;
        }
        for task in tasks {
            task.await?;
        }
        self.acknowledged += self.load.counts().acknowledged;
        self.load.check().await
    }

    async fn cast(&self, name: &str) -> Result<Cast> {
        let server = &self.rig.server;
        let key = [("idempotency-key", name), ("content-type", "application/octet-stream")];
        let uri = format!("{}/Tally/{name}-kept/add", server.ingress);
        let kept = server.send(Method::POST, &uri, &key, "x").await?;
        kept.ok()?;
        let mut held = Vec::new();
        for number in 0..HELD {
            let gate = format!("{name}-{number}");
            held.push(server.send_to("/Waiter/gate", json!(gate)).await?);
            until("a gate is reached", || self.told.get(&gate).is_some()).await?;
        }
        let mut waiting = Vec::new();
        for what in ["cancel", "kill", "delete"] {
            let waits = format!("{name}-{what}");
            waiting.push(server.send_to("/Waiter/wait", json!(waits)).await?);
            until("it waits", || self.told.get(&waits).is_some()).await?;
        }
        let [to_cancel, to_kill, to_delete] = <[String; 3]>::try_from(waiting).unwrap();
        Ok(Cast { kept: kept.invocation()?, held, to_cancel, to_kill, to_delete })
    }

    /// Checks what works on a full disk, and what does not.
    async fn look(&self, cast: &Cast, name: &str) -> Result<()> {
        let (rig, server) = (&self.rig, &self.rig.server);
        let health = rig.admin("/health").await?;
        let warning = String::from_utf8_lossy(&health.body).into_owned();
        ensure!(health.status == 200, "/health says {}: {warning}", health.status);
        ensure!(warning.contains("the disk is nearly full"), "no warning: {warning}");
        rig.admin("/health/ready").await?.expect_failure(503, "nearly full")?;
        self.told.open(name);
        for (number, is_send) in [true, false, true, false].into_iter().enumerate() {
            let asked = self.load.ask(&format!("{name}-full-{number}"), is_send).await;
            ensure!(asked == Submitted::Refused, "new work is not refused: {asked:?}");
        }
        for verb in ["output", "attach"] {
            let path = format!("/restate/invocation/{}/{verb}", cast.kept);
            let kept = server.get(&path).await?.ok().context(verb)?;
            ensure!(kept == json!(1), "{verb} of what had ended says {kept}");
        }
        rig.admin("/invocations").await?.ok().context("the list of invocations")?;
        server.control(&cast.to_cancel, "cancel").await?.ok().context("cancel")?;
        server.control(&cast.to_kill, "kill").await?.ok().context("kill")?;
        let uri = format!("{}/invocations/{}?mode=kill", server.admin, cast.to_delete);
        server.send(Method::DELETE, &uri, &[], "").await?.ok().context("delete")?;
        for id in [&cast.to_kill, &cast.to_delete] {
            let status = rig.invocation(id).await?["status"].clone();
            ensure!(status == "completed", "{id} was killed and is {status}");
        }
        self.see_held(cast).await
    }

    /// Attempts whose steps find no space are held, without failing.
    async fn see_held(&self, cast: &Cast) -> Result<()> {
        for id in &cast.held {
            let seen = self.rig.invocation(id).await?;
            let has_failed = seen["retry_count"] != 0 || seen.get("last_failure").is_some();
            ensure!(!has_failed, "an attempt that is held has failed: {seen}");
            ensure!(seen["status"] == "running", "an attempt is not held: {seen}");
            let why = self.rig.admin(&format!("/invocations/{id}/why")).await?.ok()?;
            let is_said = why["verdict"] == "stuck" && why["links"][0]["kind"] == "no_disk";
            ensure!(is_said, "that it is held is not said: {why:#}");
        }
        Ok(())
    }

    /// Starts the node on a full disk and returns whether it is up. If not, its error has to say
    /// what to do.
    async fn start_full(&mut self) -> Result<bool> {
        println!("disk: {} bytes are free", self.mount.free_bytes()?);
        match self.rig.start().await {
            Ok(()) => {
                println!("disk: it starts while the disk is full");
                Ok(true)
            }
            Err(error) => {
                let said = format!("{error:#}");
                println!("disk: it does not start while the disk is full: {said}");
                ensure!(said.contains("room"), "it does not say what to do: {said}");
                Ok(false)
            }
        }
    }
}

/// A small disk, mounted until it is dropped.
struct Mount(PathBuf);

impl Mount {
    fn new(at: &Path) -> Result<Self> {
        fs::create_dir(at)?;
        let size = format!("size={DISK_MB}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at);
        ensure!(mount.status()?.success(), "a tmpfs cannot be mounted on {}", at.display());
        Ok(Self(at.to_owned()))
    }

    fn free_bytes(&self) -> Result<u64> {
        let mut df = Command::new("df");
        df.args(["--output=avail", "--block-size=1"]).arg(&self.0);
        let output = String::from_utf8(df.output()?.stdout)?;
        let Some(free) = output.lines().nth(1) else { bail!("df says '{output}'") };
        Ok(free.trim().parse()?)
    }

    /// Fills the disk up to this much free space.
    fn ballast(&self, free_mb: u64) -> Result<Ballast> {
        let path = self.0.join("ballast");
        let mut file = File::create(&path)?;
        let taken = self.free_bytes()?.saturating_sub(free_mb << 20);
        for _ in 0..taken >> 16 {
            file.write_all(&[0; 1 << 16])?;
        }
        println!("disk: {} MB of ballast, {free_mb} MB are left", taken >> 20);
        Ok(Ballast { path, growing: None })
    }
}

/// A file that takes up disk space.
struct Ballast {
    path: PathBuf,
    /// The thread that takes up any space that becomes free.
    growing: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

impl Ballast {
    /// From now on, takes up every byte that becomes free.
    fn grow(&mut self) -> Result<()> {
        let mut file = File::options().append(true).open(&self.path)?;
        let (stop, stopped) = mpsc::channel();
        let grow = move || {
            while stopped.recv_timeout(GROW_EVERY) == Err(RecvTimeoutError::Timeout) {
                while file.write_all(&[0; 4096]).is_ok() {}
            }
        };
        self.growing = Some((stop, thread::spawn(grow)));
        Ok(())
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.growing.take() {
            drop(stop);
            let _ = thread.join(); // The thread can't fail.
        }
        let _ = fs::remove_file(&self.path); // If this fails the disk stays full, which the test notices.
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // If this fails, the mount still goes away with its namespace.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
