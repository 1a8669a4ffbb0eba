//! The real binary on free ports, killed on drop.

#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod raw;

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;

use abide_sdk::prelude::*;
use e2e_client::{Server, ready};
use e2e_harness::{abide::Abide, process::Process};
use serde_json::json;
use tokio::sync::Semaphore;

/// A service whose handlers hang, and so keep what they hold.
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

pub(crate) async fn start(dir: &Path) -> (Process, Server) {
    start_with(dir, &[]).await
}

/// Starts the server with additional flags.
pub(crate) async fn start_with(dir: &Path, more: &[&str]) -> (Process, Server) {
    start_on(dir, more, quiet).await
}

/// A number that an environment variable sets, or the default.
pub(crate) fn set_by(variable: &str, default: usize) -> usize {
    let given = std::env::var(variable).ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The memory that a process has now, and the most that it has had, in bytes. The pages of its
/// executable do not count: the system reads them again when it wants to, and a build for tests has
/// some hundred megabytes of them.
pub(crate) fn memory_bytes_of(pid: u32) -> (u64, u64) {
    let path = Path::new("/proc").join(pid.to_string()).join("status");
    let status = std::fs::read_to_string(path).unwrap();
    let bytes = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    };
    let file = bytes("RssFile:");
    (bytes("VmRSS:").saturating_sub(file), bytes("VmHWM:").saturating_sub(file))
}

/// Serves an endpoint of our SDK from now on, and registers it.
pub(crate) async fn serve_endpoint(server: &Server, endpoint: Endpoint) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(endpoint.serve_listener(listener, std::future::pending()));
    server.register(&json!({ "uri": uri })).await.unwrap().ok().unwrap();
}

/// Starts the server with its log in a file.
pub(crate) async fn start_logging(dir: &Path, log: &Path) -> (Process, Server) {
    let log = OpenOptions::new().create(true).append(true).open(log).unwrap();
    start_on(dir, &[], |command| saying(command, Stdio::null(), log.into())).await
}

/// Starts the server with outputs that accept nothing: `/dev/full`, or a pipe without a reader.
pub(crate) async fn start_saying(dir: &Path, output: &str) -> (Process, Server) {
    start_on(dir, &[], |command| saying(command, deaf(output), deaf(output))).await
}

/// The exit status of a start that is refused, with outputs that accept nothing.
pub(crate) fn refused_saying(dir: &Path, output: &str) -> ExitStatus {
    let command = serve(&abide(dir, &[]));
    saying(command, deaf(output), deaf(output)).status().unwrap()
}

/// Starts the server with at most this many open files, whatever the system would allow.
pub(crate) async fn start_under(
    dir: &Path,
    files_max: Option<u64>,
    more: &[&str],
) -> (Process, Server) {
    let limited = |command: Command| match files_max {
        None => command,
        Some(files_max) => {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(format!("ulimit -n {files_max} && exec \"$0\" \"$@\""));
            shell.arg(command.get_program()).args(command.get_args());
            shell
        }
    };
    start_on(dir, more, |command| quiet(limited(command))).await
}

/// Starts the server with environment variables. Returns how, so that it can be started again,
/// which also has its addresses.
pub(crate) async fn start_under_settings(
    dir: &Path,
    settings: &[(&str, &str)],
) -> (Process, Server, Abide) {
    let abide = abide(dir, &[]);
    let process = start_again(&abide, settings).await;
    let server = Server::new(abide.ingress, abide.admin);
    (process, server, abide)
}

/// Starts a server on the addresses and the data of an earlier one.
pub(crate) async fn start_again(abide: &Abide, settings: &[(&str, &str)]) -> Process {
    start_as(abide, |mut command| {
        command.envs(settings.iter().copied());
        quiet(command)
    })
    .await
}

/// Starts the server on free ports.
async fn start_on(
    dir: &Path,
    more: &[&str],
    how: impl FnOnce(Command) -> Command,
) -> (Process, Server) {
    let abide = abide(dir, more);
    let process = start_as(&abide, how).await;
    (process, Server::new(abide.ingress, abide.admin))
}

async fn start_as(abide: &Abide, how: impl FnOnce(Command) -> Command) -> Process {
    let process = Process::spawn("abide", how(serve(abide))).unwrap();
    ready(process, abide.admin).await.unwrap()
}

fn abide(dir: &Path, more: &[&str]) -> Abide {
    let program = env!("CARGO_BIN_EXE_abide").into();
    let mut abide = Abide::on_free_ports(program, dir.to_owned()).unwrap();
    abide.flags = more.iter().copied().map(str::to_owned).collect();
    abide
}

fn serve(abide: &Abide) -> Command {
    let mut command = abide.command();
    // The debug level, so that all log output is exercised.
    command.env("ABIDE_LOG", "debug");
    command
}

fn quiet(command: Command) -> Command {
    saying(command, Stdio::null(), Stdio::null())
}

fn saying(mut command: Command, stdout: Stdio, stderr: Stdio) -> Command {
    command.stdout(stdout).stderr(stderr);
    command
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
