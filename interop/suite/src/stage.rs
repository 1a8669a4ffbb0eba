//! Which server, which services: started as processes of their own, and killed with us.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use http::Method;
use serde_json::json;

use crate::{
    client::Server,
    npm::{restate_server, typescript},
    ports,
};

/// Which server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Runtime {
    /// Ours.
    Abide,
    /// The real server, from its npm package.
    Restate,
}

/// On which SDK the services are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Sdk {
    /// The crate `restate-sdk`.
    Rust,
    /// The npm package `@restatedev/restate-sdk`.
    Typescript,
    /// Our own, `abide-sdk`.
    Abide,
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Which server.
    pub runtime: Runtime,
    /// Which services.
    pub sdk: Sdk,
    /// Newest service protocol that the server may speak.
    pub protocol: u16,
    /// Suspend at every wait.
    pub always_suspend: bool,
    /// Partitions of our server.
    pub partitions: u16,
    /// Speak to the services in HTTP/1.1: one request and one response, which do not overlap.
    pub http_11: bool,
    /// Where data and logs go; empty at the start.
    pub dir: PathBuf,
    /// Where cargo has put the programs of this workspace.
    pub programs: PathBuf,
}

/// The processes, running and registered with each other.
#[derive(Debug)]
pub struct Stage {
    /// How to reach the server.
    pub server: Server,
    setting: Setting,
    ingress: SocketAddr,
    admin: SocketAddr,
    node: u16,
    services: SocketAddr,
    runtime_process: Process,
    services_process: Process,
}

#[derive(Debug)]
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const READY_TIMEOUT: Duration = Duration::from_secs(60);

impl Stage {
    /// Starts everything, and registers the services.
    ///
    /// # Errors
    /// When a process does not start or does not become ready.
    pub async fn open(setting: Setting) -> Result<Self> {
        let stage = Self::open_unregistered(setting).await?;
        let http_11 = stage.setting.http_11;
        let body = json!({ "uri": stage.services_uri(), "use_http_11": http_11 });
        let server = &stage.server;
        let registered = server.eventually(|| async { server.register(&body).await?.ok() }).await;
        registered.context("the services cannot be registered")?;
        Ok(stage)
    }

    /// Starts everything.
    ///
    /// # Errors
    /// When a process does not start or does not become ready.
    pub async fn open_unregistered(setting: Setting) -> Result<Self> {
        std::fs::create_dir_all(&setting.dir)?;
        let [ingress, admin, services, node] = free_ports()?;
        let server = Server::new(format!("http://{ingress}"), format!("http://{admin}"));
        let runtime_process = start_runtime(&setting, ingress, admin, node.port())?;
        let services_process = start_services(&setting, services)?;
        let mut stage = Self {
            server,
            setting,
            ingress,
            admin,
            node: node.port(),
            services,
            runtime_process,
            services_process,
        };
        stage.until_ready().await?;
        Ok(stage)
    }

    /// Where the services answer.
    pub fn services_uri(&self) -> String {
        format!("http://{}", self.services)
    }

    /// Where data and logs are.
    pub fn dir(&self) -> &Path {
        &self.setting.dir
    }

    /// Kills the services with SIGKILL and starts them again.
    ///
    /// # Errors
    /// When they do not start.
    pub async fn restart_services(&mut self) -> Result<()> {
        self.services_process.0.kill()?;
        self.services_process.0.wait()?;
        self.services_process = start_services(&self.setting, self.services)?;
        Ok(())
    }

    /// Kills the runtime with SIGKILL, starts it again and waits until it serves.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart_runtime(&mut self) -> Result<()> {
        self.runtime_process.0.kill()?;
        self.runtime_process.0.wait()?;
        self.runtime_process = start_runtime(&self.setting, self.ingress, self.admin, self.node)?;
        self.until_ready().await
    }

    /// Starts the services again if they have ended by themselves, as whatever runs them in production
    /// would: the TypeScript SDK's process ends when a connection breaks at the wrong moment.
    ///
    /// # Errors
    /// When they do not start.
    pub fn revive_services(&mut self) -> Result<()> {
        if self.services_process.0.try_wait()?.is_some() {
            self.services_process = start_services(&self.setting, self.services)?;
        }
        Ok(())
    }

    async fn until_ready(&mut self) -> Result<()> {
        let uri = format!("{}/health", self.server.admin);
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            let answer = self.server.send(Method::GET, &uri, &[], "").await;
            if answer.is_ok_and(|answer| answer.status.is_success()) {
                return Ok(());
            }
            if let Some(status) = self.runtime_process.0.try_wait()? {
                bail!("the server has ended: {status}; see {}", self.setting.dir.display());
            }
            ensure!(Instant::now() < deadline, "the server is not ready after a minute");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn start_runtime(
    setting: &Setting,
    ingress: SocketAddr,
    admin: SocketAddr,
    node: u16,
) -> Result<Process> {
    let inactivity_ms = if setting.always_suspend { 0 } else { 60_000 };
    let command = match setting.runtime {
        Runtime::Abide => {
            let mut command = Command::new(setting.programs.join("abide"));
            command
                .arg("serve")
                .arg("--data-dir")
                .arg(setting.dir.join("data"))
                .arg(format!("--ingress-address={ingress}"))
                .arg(format!("--admin-address={admin}"))
                .arg(format!("--partitions={}", setting.partitions))
                .arg(format!("--inactivity-timeout-ms={inactivity_ms}"))
                .arg(format!("--max-service-protocol-version={}", setting.protocol));
            command
        }
        Runtime::Restate => {
            let mut command = Command::new(restate_server()?);
            command
                .arg("--base-dir")
                .arg(setting.dir.join("data"))
                .env("RESTATE_INGRESS__BIND_ADDRESS", ingress.to_string())
                .env("RESTATE_ADMIN__BIND_ADDRESS", admin.to_string())
                .env("RESTATE_BIND_ADDRESS", format!("127.0.0.1:{node}"))
                .env("RESTATE_ADVERTISED_ADDRESS", format!("http://127.0.0.1:{node}"))
                .env("RESTATE_WORKER__INVOKER__INACTIVITY_TIMEOUT", format!("{inactivity_ms}ms"))
                .env("RESTATE_LISTEN_MODE", "tcp")
                .env("DO_NOT_TRACK", "1");
            if setting.protocol >= 7 {
                command.env("RESTATE_EXPERIMENTAL_ENABLE_PROTOCOL_V7", "true");
            }
            command
        }
    };
    start(command, &setting.dir.join("runtime.log"))
}

fn start_services(setting: &Setting, bind: SocketAddr) -> Result<Process> {
    let command = match setting.sdk {
        Sdk::Rust => on_rust(setting, "interop-services", bind),
        Sdk::Abide => on_rust(setting, "conformance-services", bind),
        Sdk::Typescript => {
            let dir = typescript()?;
            let mut command = Command::new("node");
            command.arg(dir.join("src/main.mjs")).env("PORT", bind.port().to_string());
            command
        }
    };
    start(command, &setting.dir.join("services.log"))
}

fn on_rust(setting: &Setting, program: &str, bind: SocketAddr) -> Command {
    let mut command = Command::new(setting.programs.join(program));
    command.arg(format!("--bind={bind}"));
    command
}

fn start(mut command: Command, log: &Path) -> Result<Process> {
    let file = std::fs::File::options().create(true).append(true).open(log)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let shown = format!("{:?}", command.get_program());
    Ok(Process(command.spawn().with_context(|| format!("{shown} does not start"))?))
}

/// Ports for the four of a stage.
fn free_ports() -> Result<[SocketAddr; 4]> {
    Ok([ports::free()?, ports::free()?, ports::free()?, ports::free()?])
}
