//! The test stand: one server on an empty data directory, with the services registered.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::measure::disk;
use crate::measure::fsync::FsyncTrace;
use crate::measure::meter::Meter;

use super::launch::{Installation, Launch, ServerKind};
use super::ports::Ports;
use super::process::ServerProcess;
use super::readiness;
use super::tally::Tally;

/// Whether the server's fsyncs are counted, which slows it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracing {
    /// Nothing is traced.
    Off,
    /// Fsyncs are counted, if the machine supports it.
    Fsyncs,
}

/// One server with its services; both are killed on drop.
pub struct Stand {
    server: ServerProcess,
    service: ServerProcess,
    launch: Launch,
    fsyncs: Option<FsyncTrace>,
    ports: Ports,
    data: PathBuf,
    log: PathBuf,
}

impl Stand {
    /// Starts a server on an empty data directory under `directory`, and registers the services.
    pub async fn start(
        kind: ServerKind,
        programs: &Installation,
        ports: Ports,
        directory: &Path,
        tracing: Tracing,
    ) -> anyhow::Result<Self> {
        let data = directory.join(kind.name());
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        fs::create_dir_all(&data)?;
        let log = directory.join(format!("{}.log", kind.name()));
        let fsyncs = match tracing {
            Tracing::Off => None,
            Tracing::Fsyncs => FsyncTrace::new(&directory.join(format!("{}.fsyncs", kind.name()))),
        };
        let service = start_services(kind, programs, ports, &directory.join("services.log"))?;
        let launch = kind.launch(programs, ports, &data);
        let server = start_server(&launch, fsyncs.as_ref(), &log)?;
        let mut stand = Self { server, service, launch, fsyncs, ports, data, log };
        match stand.prepare().await {
            Ok(()) => Ok(stand),
            Err(error) => {
                stand.stop().await?;
                Err(error.context(format!("{} did not become ready", kind.name())))
            }
        }
    }

    /// The address to send requests to.
    pub fn ingress(&self) -> SocketAddr {
        self.ports.ingress()
    }

    /// The address to ask queries at.
    pub fn admin(&self) -> SocketAddr {
        self.ports.admin()
    }

    /// Creates a meter for this server and its services.
    pub fn meter(&self) -> Meter {
        Meter {
            server_pid: self.server.pid(),
            service_pid: self.service.pid(),
            fsyncs: self.fsyncs.clone(),
        }
    }

    /// Size of the server's data directory, in bytes.
    pub fn store_bytes(&self) -> u64 {
        disk::allocated_bytes(&self.data)
    }

    /// Reads the services' tally.
    pub async fn tally(&self) -> anyhow::Result<Tally> {
        Tally::read(self.ports.tally()).await
    }

    /// Waits until the services' tally satisfies a condition.
    pub async fn wait_for_tally(
        &self,
        limit: Duration,
        condition: impl Fn(Tally) -> bool,
    ) -> anyhow::Result<()> {
        Tally::wait(self.ports.tally(), limit, condition).await
    }

    /// Kills the server and restarts it on the same data; returns the time from the restart to the
    /// first answer.
    pub async fn kill_and_restart(&mut self) -> anyhow::Result<Duration> {
        self.server.kill().await?;
        self.server = start_server(&self.launch, self.fsyncs.as_ref(), &self.log)?;
        readiness::first_answer(self.ports).await
    }

    /// Kills both processes and removes the data.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.server.kill().await?;
        self.service.kill().await?;
        Ok(fs::remove_dir_all(&self.data)?)
    }

    async fn prepare(&mut self) -> anyhow::Result<()> {
        let ports = self.ports;
        let ready = async {
            readiness::wait_for_health(ports).await?;
            readiness::register(ports).await?;
            readiness::first_answer(ports).await
        };
        // A process that exited explains the cause better than a refused connection does.
        tokio::select! {
            ready = ready => ready.map(drop),
            error = self.server.ended() => Err(error),
            error = self.service.ended() => Err(error.context("the services")),
        }
    }
}

fn start_server(
    launch: &Launch,
    fsyncs: Option<&FsyncTrace>,
    log: &Path,
) -> anyhow::Result<ServerProcess> {
    let prefix = fsyncs.map(FsyncTrace::command_prefix).unwrap_or_default();
    ServerProcess::start(launch, &prefix, log)
}

fn start_services(
    kind: ServerKind,
    programs: &Installation,
    ports: Ports,
    log: &Path,
) -> anyhow::Result<ServerProcess> {
    let mut args = vec!["--bind".into(), ports.service().to_string()];
    args.extend(["--tally".into(), ports.tally().to_string()]);
    args.extend(programs.service_args.iter().cloned());
    ServerProcess::start(
        &Launch { program: kind.services(programs).to_owned(), args, env: vec![] },
        &[],
        log,
    )
}
