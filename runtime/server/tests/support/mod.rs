//! The real binary on free ports, killed when it is dropped.

#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod raw;

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use abide_sdk::prelude::*;
use http::Method;
use interop_suite::client::Server;
use serde_json::json;
use tokio::sync::Semaphore;

pub(crate) struct Abide(Child);

impl Abide {
    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// How it has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Abide {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Its handlers take what they can get, and give nothing back.
pub(crate) struct Hog {
    pub(crate) entered: Arc<Semaphore>,
}

#[service]
impl Hog {
    pub async fn hang(&self, _ctx: &Context) -> Result<()> {
        self.entered.add_permits(1);
        std::future::pending().await
    }
}

pub(crate) async fn start(dir: &Path) -> (Abide, Server) {
    start_with(dir, &[]).await
}

/// With more flags.
pub(crate) async fn start_with(dir: &Path, more: &[&str]) -> (Abide, Server) {
    start_as(dir, more, || (Stdio::null(), Stdio::null())).await
}

/// Serves an endpoint of our SDK from now on, and makes the server know it.
pub(crate) async fn serve_endpoint(server: &Server, endpoint: Endpoint) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(endpoint.serve_listener(listener, std::future::pending()));
    server.register(&json!({ "uri": uri })).await.unwrap().ok().unwrap();
}

/// With its log in a file.
pub(crate) async fn start_logging(dir: &Path, log: &Path) -> (Abide, Server) {
    let log = OpenOptions::new().create(true).append(true).open(log).unwrap();
    start_as(dir, &[], || (Stdio::null(), log.into())).await
}

/// With a standard output and a standard error that take nothing: `/dev/full`, or a pipe nobody reads.
pub(crate) async fn start_saying(dir: &Path, output: &str) -> (Abide, Server) {
    start_as(dir, &[], || (deaf(output), deaf(output))).await
}

/// How a start ends that is refused, with outputs that take nothing.
pub(crate) fn refused_saying(dir: &Path, output: &str) -> ExitStatus {
    serve(dir, &[], "127.0.0.1:0", "127.0.0.1:0")
        .stdout(deaf(output))
        .stderr(deaf(output))
        .status()
        .unwrap()
}

fn deaf(output: &str) -> Stdio {
    match output {
        "pipe" => {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            writer.into()
        }
        path => OpenOptions::new().write(true).open(path).unwrap().into(),
    }
}

/// With at most so many open files, whatever the system would give.
pub(crate) async fn start_under(
    dir: &Path,
    files_max: Option<u64>,
    more: &[&str],
) -> (Abide, Server) {
    let limited = |command: Command| match files_max {
        None => command,
        Some(files_max) => {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(format!("ulimit -n {files_max} && exec \"$0\" \"$@\""));
            shell.arg(command.get_program()).args(command.get_args());
            shell
        }
    };
    start_by(dir, more, limited, || (Stdio::null(), Stdio::null())).await
}

async fn start_as(
    dir: &Path,
    more: &[&str],
    outputs: impl FnOnce() -> (Stdio, Stdio),
) -> (Abide, Server) {
    start_by(dir, more, |command| command, outputs).await
}

async fn start_by(
    dir: &Path,
    more: &[&str],
    by: impl FnOnce(Command) -> Command,
    outputs: impl FnOnce() -> (Stdio, Stdio),
) -> (Abide, Server) {
    let free = || interop_suite::ports::free().unwrap().to_string();
    let (ingress, admin) = (free(), free());
    let (stdout, stderr) = outputs();
    let mut command = by(serve(dir, more, &ingress, &admin));
    let child = command.stdout(stdout).stderr(stderr).spawn().unwrap();
    let server = Server::new(format!("http://{ingress}"), format!("http://{admin}"));
    let health = format!("{}/health", server.admin);
    let ready = server.eventually(|| async { server.send(Method::GET, &health, &[], "").await });
    ready.await.unwrap();
    (Abide(child), server)
}

fn serve(dir: &Path, more: &[&str], ingress: &str, admin: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_abide"));
    command.arg("serve").arg("--data-dir").arg(dir);
    command.arg(format!("--ingress-address={ingress}"));
    command.arg(format!("--admin-address={admin}"));
    // Whatever it says, it says much of it.
    command.args(more).env("ABIDE_LOG", "debug");
    command
}
