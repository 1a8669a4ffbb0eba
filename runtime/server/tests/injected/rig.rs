//! The real binary on fixed ports, with its log in a file, and with an environment that may preload
//! a shim.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use e2e_client::{HttpResponse, Server, ready};
use e2e_harness::{abide::Abide, process::Process};
use http::Method;
use serde_json::{Value, json};

/// How long a node that reported a fatal error may take to exit.
const PATIENCE: Duration = Duration::from_secs(60);
/// Interval of polling.
pub(crate) const PAUSE: Duration = Duration::from_millis(10);

/// One node: its directory, its two addresses, and its process once started.
pub(crate) struct Rig {
    pub(crate) server: Server,
    pub(crate) environment: Vec<(String, String)>,
    abide: Abide,
    log: PathBuf,
    process: Option<Process>,
}

impl Rig {
    /// A node with its files in `dir` and its data in `data`. `settings` is TOML text.
    pub(crate) fn new(dir: &Path, data: &Path, settings: &str) -> Result<Self> {
        let mut abide = Abide::on_free_ports(env!("CARGO_BIN_EXE_abide").into(), data.to_owned())?;
        let config = dir.join("abide.toml");
        fs::write(&config, settings)?;
        abide.flags.push(format!("--config={}", config.display()));
        Ok(Self {
            server: Server::new(abide.ingress, abide.admin),
            environment: Vec::new(),
            abide,
            log: dir.join("abide.log"),
            process: None,
        })
    }

    /// Starts the node and waits until it is ready.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let mut command = self.abide.command();
        command.envs(self.environment.iter().cloned());
        let process = Process::start("the node", command, &self.log)?;
        self.process = Some(ready(process, self.abide.admin).await?);
        Ok(())
    }

    /// Kills the node with SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<()> {
        Ok(self.process()?.kill()?)
    }

    /// Waits until the node has exited by itself.
    pub(crate) async fn ended(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process()?.ended()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "it still runs after {PATIENCE:?}: {}", self.said());
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The end of its log output.
    pub(crate) fn said(&self) -> String {
        self.process.as_ref().map_or_else(String::new, Process::said)
    }

    fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("it was never started")
    }

    /// Registers an endpoint.
    pub(crate) async fn register(&self, uri: &str) -> Result<()> {
        self.server.register(&json!({ "uri": uri })).await?.ok()?;
        Ok(())
    }

    /// Sends a GET request to the admin API.
    pub(crate) async fn admin(&self, path: &str) -> Result<HttpResponse> {
        let uri = format!("{}{path}", self.server.admin);
        self.server.send(Method::GET, &uri, &[], Bytes::new()).await
    }

    /// An invocation, as the admin API shows it.
    pub(crate) async fn invocation(&self, id: &str) -> Result<Value> {
        self.admin(&format!("/invocations/{id}")).await?.ok()
    }
}

/// Compiles a C file of `shims` to a library that can be preloaded.
pub(crate) fn shim(dir: &Path, name: &str) -> Result<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/injected/shims");
    let library = dir.join(format!("{name}.so"));
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .arg(&library)
        .arg(source.join(format!("{name}.c")))
        .arg("-ldl")
        .status()
        .context("cc is needed to compile what is preloaded")?;
    ensure!(status.success(), "{name}.c: {status}");
    Ok(library.display().to_string())
}
