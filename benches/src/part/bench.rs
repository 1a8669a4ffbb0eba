//! The context shared by all parts: options, programs, and the recorder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use e2e_harness::{npm, programs::binary};

use crate::cli::RunArgs;
use crate::measure::{disk, host};
use crate::sample::{Part, Recorder, Subject};
use crate::server::{Installation, Ports, ServerKind, Stand, Tracing};

/// A run in progress.
pub(super) struct Bench {
    pub(super) args: RunArgs,
    pub(super) recorder: Recorder,
    programs: Installation,
}

impl Bench {
    pub(super) fn new(args: RunArgs) -> anyhow::Result<Self> {
        fs::create_dir_all(&args.data)?;
        let programs = find_programs(&args)?;
        let mut recorder = Recorder::create(&args.results)?;
        record_facts(&args, &mut recorder)?;
        Ok(Self { args, recorder, programs })
    }

    /// Returns the servers, rotated so that each round starts with a different one.
    pub(super) fn servers_in_turn(&self, round: u64) -> Vec<ServerKind> {
        let mut servers = self.args.servers.clone();
        let turns = usize::try_from(round).unwrap_or(0) % servers.len().max(1);
        servers.rotate_left(turns);
        servers
    }

    pub(super) async fn start(&self, kind: ServerKind, tracing: Tracing) -> anyhow::Result<Stand> {
        let ports = Ports { base: self.args.port };
        Stand::start(kind, &self.programs, ports, &self.args.data, tracing).await
    }

    /// This repository's binary, which is the command line, too.
    pub(super) fn abide(&self) -> &Path {
        &self.programs.abide
    }

    /// Measures on each server in turn, on an empty data directory. What fails is recorded.
    pub(super) async fn on_each_server(
        &mut self,
        part: Part,
        measure: impl AsyncFn(&mut Self, &mut Stand, ServerKind) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for server in self.servers_in_turn(0) {
            let what = format!("{}: {}", part.name(), server.name());
            self.progress(&what);
            let outcome = self.on_server(server, &measure).await;
            self.note_failure(&what, outcome)?;
        }
        Ok(())
    }

    async fn on_server(
        &mut self,
        server: ServerKind,
        measure: &impl AsyncFn(&mut Self, &mut Stand, ServerKind) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut stand = self.start(server, Tracing::Off).await?;
        let outcome = measure(self, &mut stand, server).await;
        stand.stop().await.and(outcome)
    }

    /// Records a failed measurement for the report, so that the run can continue.
    pub(super) fn note_failure(
        &mut self,
        what: &str,
        outcome: anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Err(error) = outcome else { return Ok(()) };
        let error = format!("{error:#}").replace(['\n', '\t'], " ");
        self.progress(&format!("FAILED: {what}: {error}"));
        self.recorder.fact("FAILED", format!("{what}: {error}"))
    }

    pub(super) fn progress(&self, text: &str) {
        eprintln!("{text}");
    }
}

pub(super) fn subject(
    part: Part,
    server: ServerKind,
    case: impl ToString,
    concurrency: u64,
) -> Subject {
    Subject { part, server: server.name().to_owned(), case: case.to_string(), concurrency }
}

fn find_programs(args: &RunArgs) -> anyhow::Result<Installation> {
    let needs_restate = args.servers.iter().any(|server| *server != ServerKind::Abide);
    let restate = match &args.restate_bin {
        Some(path) => path.clone(),
        None if needs_restate => npm::restate("restate-server", &args.restate_dir)?,
        None => PathBuf::new(),
    };
    Ok(Installation {
        abide: args.abide_bin.clone().unwrap_or_else(|| binary("abide")),
        abide_args: args.abide_arg.clone(),
        restate,
        services: args.services_bin.clone().unwrap_or_else(|| binary("bench-services")),
        own_services: binary("bench-services-abide"),
        service_args: args.services_arg.clone(),
    })
}

fn record_facts(args: &RunArgs, recorder: &mut Recorder) -> anyhow::Result<()> {
    for (name, value) in host::facts() {
        recorder.fact(&name, value)?;
    }
    let fdatasync = disk::fdatasync_p50(&args.data).context("cannot measure fdatasync")?;
    recorder.fact("fdatasync p50", format!("{:.2} ms", fdatasync.as_secs_f64() * 1e3))?;
    let profile = if cfg!(debug_assertions) { "dev, not for publication" } else { "release" };
    recorder.fact("build of this program", profile)?;
    recorder.fact("Restate", npm::RESTATE_VERSION)?;
    recorder.fact(
        "each figure",
        format!("median of {} rounds of {} s after {} s", args.rounds, args.seconds, args.warm),
    )
}
