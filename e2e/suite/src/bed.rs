//! The server and the services of a run: started as separate processes, and killed with this one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use e2e_client::{Server, ready};
use e2e_harness::{
    abide::Abide,
    npm, ports,
    process::Process,
    programs::{binary, target},
};
use serde_json::json;

use crate::sdk::{Sdk, Services};

/// The server to test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Runtime {
    /// This repository's server.
    Abide,
    /// The real server, from its npm package.
    Restate,
}

/// How a process is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGKILL: at once.
    Kill,
    /// SIGTERM; then SIGKILL if it has not stopped in time.
    Terminate,
}

/// Time that a process has to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// The configuration of a setup.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The server to start.
    pub runtime: Runtime,
    /// The SDK of the services to start.
    pub sdk: Sdk,
    /// Newest service protocol version that the server may speak.
    pub protocol: u16,
    /// Suspend at every wait.
    pub always_suspend: bool,
    /// Number of partitions of our server.
    pub partitions: u16,
    /// Use HTTP/1.1 to talk to the services: one request and one response, which do not overlap.
    pub http_11: bool,
    /// Directory for data and logs; must be empty at the start.
    pub dir: PathBuf,
}

impl Setting {
    fn inactivity_ms(&self) -> u64 {
        if self.always_suspend { 0 } else { 60_000 }
    }
}

/// The running processes, registered with each other.
#[derive(Debug)]
pub struct TestBed {
    /// A client for the server.
    pub server: Server,
    setting: Setting,
    addresses: Addresses,
    program: Services,
    runtime: Process,
    services: Process,
    /// Later versions of the services.
    upgrades: Vec<Process>,
}

#[derive(Debug, Clone, Copy)]
struct Addresses {
    ingress: SocketAddr,
    admin: SocketAddr,
    /// Address for communication between nodes of the real server.
    node: SocketAddr,
    services: SocketAddr,
    /// Address for PostgreSQL clients of our server.
    sql: SocketAddr,
}

impl TestBed {
    /// Starts everything, and registers the services.
    ///
    /// # Errors
    /// Returns an error if a process does not start or does not become ready.
    pub async fn open(setting: Setting) -> Result<Self> {
        let bed = Self::open_unregistered(setting).await?;
        bed.register(bed.addresses.services).await?;
        Ok(bed)
    }

    async fn register(&self, services: SocketAddr) -> Result<()> {
        let (server, http_11) = (&self.server, self.setting.http_11);
        let body = json!({ "uri": format!("http://{services}"), "use_http_11": http_11 });
        let registered = server.eventually(|| async { server.register(&body).await?.ok() }).await;
        registered.context("the services cannot be registered")?;
        Ok(())
    }

    /// Starts everything without registering the services.
    ///
    /// # Errors
    /// Returns an error if a process does not start or does not become ready.
    pub async fn open_unregistered(setting: Setting) -> Result<Self> {
        std::fs::create_dir_all(&setting.dir)?;
        let addresses = Addresses {
            ingress: ports::free()?,
            admin: ports::free()?,
            node: ports::free()?,
            services: ports::free()?,
            sql: ports::free()?,
        };
        let program = setting.sdk.install()?;
        let runtime = start_runtime(&setting, addresses)?;
        let services = start_services(&setting, program.command(addresses.services))?;
        let runtime = ready(runtime, addresses.admin).await?;
        let server = Server::new(addresses.ingress, addresses.admin);
        let upgrades = Vec::new();
        Ok(Self { server, setting, addresses, program, runtime, services, upgrades })
    }

    /// The URI of the services.
    pub fn services_uri(&self) -> String {
        format!("http://{}", self.addresses.services)
    }

    /// Where PostgreSQL clients connect to our server.
    pub fn sql(&self) -> SocketAddr {
        self.addresses.sql
    }

    /// The SDK of the services.
    pub fn sdk(&self) -> Sdk {
        self.setting.sdk
    }

    /// The directory for data and logs.
    pub fn dir(&self) -> &Path {
        &self.setting.dir
    }

    /// Ends the services and restarts them.
    ///
    /// # Errors
    /// Returns an error if they do not start.
    pub async fn restart_services(&mut self, signal: Signal) -> Result<()> {
        end(&mut self.services, signal).await?;
        self.services =
            start_services(&self.setting, self.program.command(self.addresses.services))?;
        Ok(())
    }

    /// Starts and registers the next version of the services; the earlier ones stay.
    ///
    /// # Errors
    /// Returns an error if it does not start, or cannot be registered.
    pub async fn upgrade(&mut self) -> Result<()> {
        let bind = ports::free()?;
        let mut command = self.program.command(bind);
        // Without a version, it is the first.
        command.env("VERSION", (self.upgrades.len() + 2).to_string());
        self.upgrades.push(start_services(&self.setting, command)?);
        self.register(bind).await
    }

    /// Ends the runtime, restarts it and waits until it is ready.
    ///
    /// # Errors
    /// Returns an error if it does not start.
    pub async fn restart_runtime(&mut self, signal: Signal) -> Result<()> {
        end(&mut self.runtime, signal).await?;
        let runtime = start_runtime(&self.setting, self.addresses)?;
        self.runtime = ready(runtime, self.addresses.admin).await?;
        Ok(())
    }

    /// Restarts the services if they have exited, as a supervisor would in production: the
    /// TypeScript SDK's process exits when a connection breaks at the wrong moment.
    ///
    /// # Errors
    /// Returns an error if they do not start.
    pub fn revive_services(&mut self) -> Result<()> {
        if self.services.ended()?.is_some() {
            self.services =
                start_services(&self.setting, self.program.command(self.addresses.services))?;
        }
        Ok(())
    }
}

/// Ends a process as an orchestrator does: it gets a while to stop by itself.
async fn end(process: &mut Process, signal: Signal) -> Result<()> {
    if signal == Signal::Terminate {
        process.terminate()?;
        let deadline = Instant::now() + STOP_TIMEOUT;
        while process.ended()?.is_none() && Instant::now() < deadline {
            tokio::time::sleep(PAUSE).await;
        }
    }
    process.kill()?;
    Ok(())
}

fn start_runtime(setting: &Setting, addresses: Addresses) -> Result<Process> {
    let command = match setting.runtime {
        Runtime::Abide => abide(setting, addresses),
        Runtime::Restate => restate(setting, addresses)?,
    };
    Ok(Process::start("the runtime", command, &setting.dir.join("runtime.log"))?)
}

fn abide(setting: &Setting, Addresses { ingress, admin, sql, .. }: Addresses) -> Command {
    let flags = vec![
        format!("--partitions={}", setting.partitions),
        format!("--inactivity-timeout-ms={}", setting.inactivity_ms()),
        format!("--max-service-protocol-version={}", setting.protocol),
    ];
    let data = setting.dir.join("data");
    Abide { program: binary("abide"), data, ingress, admin, sql, flags }.command()
}

fn restate(setting: &Setting, addresses: Addresses) -> Result<Command> {
    let Addresses { ingress, admin, node, .. } = addresses;
    let inactivity_ms = setting.inactivity_ms();
    let program = npm::restate("restate-server", &target().join("interop-restate"))?;
    let mut command = Command::new(program);
    command
        .arg("--base-dir")
        .arg(setting.dir.join("data"))
        .env("RESTATE_INGRESS__BIND_ADDRESS", ingress.to_string())
        .env("RESTATE_ADMIN__BIND_ADDRESS", admin.to_string())
        .env("RESTATE_BIND_ADDRESS", node.to_string())
        .env("RESTATE_ADVERTISED_ADDRESS", format!("http://{node}"))
        .env("RESTATE_WORKER__INVOKER__INACTIVITY_TIMEOUT", format!("{inactivity_ms}ms"))
        .env("RESTATE_LISTEN_MODE", "tcp")
        // So that what is retained briefly is removed soon.
        .env("RESTATE_WORKER__CLEANUP_INTERVAL", "1s")
        .env("DO_NOT_TRACK", "1");
    if setting.protocol >= 7 {
        command.env("RESTATE_EXPERIMENTAL_ENABLE_PROTOCOL_V7", "true");
    }
    Ok(command)
}

fn start_services(setting: &Setting, command: Command) -> Result<Process> {
    Ok(Process::start("the services", command, &setting.dir.join("services.log"))?)
}
