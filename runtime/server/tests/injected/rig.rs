//! The real binary on ports that it keeps, with a log of its own, under whatever is preloaded.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::Method;
use interop_suite::{
    client::{Answer, Server},
    ports,
};
use serde_json::{Value, json};

/// A node, a debug build with a log to fold, is up by then; it is gone by then after it said so.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
pub(crate) const PAUSE: Duration = Duration::from_millis(10);

/// One node: a directory and two addresses, and a process while it runs.
pub(crate) struct Rig {
    pub(crate) server: Server,
    pub(crate) environment: Vec<(String, String)>,
    arguments: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill(); // It may have ended already, which is all that is wanted.
            let _ = child.wait();
        }
    }
}

impl Rig {
    /// A node in a directory of its own; its settings are those of the TOML text.
    pub(crate) fn new(dir: &Path, data: &Path, settings: &str) -> Result<Self> {
        let (ingress, admin) = (ports::free()?, ports::free()?);
        let config = dir.join("abide.toml");
        fs::write(&config, settings)?;
        Ok(Self {
            server: Server::new(format!("http://{ingress}"), format!("http://{admin}")),
            environment: Vec::new(),
            arguments: vec![
                "serve".to_owned(),
                format!("--config={}", config.display()),
                format!("--data-dir={}", data.display()),
                format!("--ingress-address={ingress}"),
                format!("--admin-address={admin}"),
            ],
            log: dir.join("abide.log"),
            child: None,
        })
    }

    /// Starts the process; it need not be up when this returns.
    pub(crate) fn spawn(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "it runs already");
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_abide"));
        command.args(&self.arguments).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn()?);
        Ok(())
    }

    /// Starts it and waits until it is alive.
    pub(crate) async fn start(&mut self) -> Result<()> {
        self.spawn()?;
        let deadline = Instant::now() + PATIENCE;
        while !self.admin("/health").await.is_ok_and(|health| health.status.is_success()) {
            if let Some(status) = self.poll()? {
                bail!("it has ended with {status}: {}", self.said());
            }
            ensure!(Instant::now() < deadline, "it is not up after {PATIENCE:?}: {}", self.said());
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("it does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// How it has ended; `None` while it runs.
    pub(crate) fn poll(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.as_mut().context("it does not run")?.try_wait()?;
        if status.is_some() {
            self.child = None;
        }
        Ok(status)
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.poll()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "it still runs after {PATIENCE:?}: {}", self.said());
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The last of what it said.
    pub(crate) fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// Makes it know an endpoint.
    pub(crate) async fn register(&self, uri: &str) -> Result<()> {
        self.server.register(&json!({ "uri": uri })).await?.ok()?;
        Ok(())
    }

    /// Asks the admin API.
    pub(crate) async fn admin(&self, path: &str) -> Result<Answer> {
        let uri = format!("{}{path}", self.server.admin);
        self.server.send(Method::GET, &uri, &[], Bytes::new()).await
    }

    /// An invocation, as the admin API shows it.
    pub(crate) async fn invocation(&self, id: &str) -> Result<Value> {
        self.admin(&format!("/invocations/{id}")).await?.ok()
    }
}

/// Compiles a C file of `shims` to something that can be preloaded.
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
