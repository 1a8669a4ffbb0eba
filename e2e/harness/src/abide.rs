//! Our server, and when a server is ready.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{Error, Result, http, ports, process::Process};

/// How our server is started: again and again on the same data and the same addresses.
#[derive(Debug, Clone)]
pub struct Abide {
    /// The program.
    pub program: PathBuf,
    /// Its data directory.
    pub data: PathBuf,
    /// Where requests come in.
    pub ingress: SocketAddr,
    /// Where operators ask.
    pub admin: SocketAddr,
    /// More flags.
    pub flags: Vec<String>,
}

/// A debug build with a long log to fold is up by then.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

impl Abide {
    /// On ports that nobody has.
    ///
    /// # Errors
    /// When there are none.
    pub fn on_free_ports(program: PathBuf, data: PathBuf) -> Result<Self> {
        let (ingress, admin) = (ports::free()?, ports::free()?);
        Ok(Self { program, data, ingress, admin, flags: Vec::new() })
    }

    /// The command that starts it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("serve")
            .arg("--data-dir")
            .arg(&self.data)
            .arg(format!("--ingress-address={}", self.ingress))
            .arg(format!("--admin-address={}", self.admin))
            .args(&self.flags);
        command
    }
}

/// Waits until a server, ours or Restate's, says on its admin address that it serves.
///
/// # Errors
/// When it ends before, or is not ready after a minute. It is killed then.
pub fn ready(mut process: Process, admin: SocketAddr) -> Result<Process> {
    let deadline = Instant::now() + READY_TIMEOUT;
    while !http::request(admin, "GET", "/health", "").is_some_and(|health| health.is_success()) {
        process.check()?;
        if Instant::now() > deadline {
            let seconds = READY_TIMEOUT.as_secs();
            let said = process.said();
            return Err(Error::new(format!("{admin} is not ready after {seconds} s\n{said}")));
        }
        sleep(PAUSE);
    }
    Ok(process)
}
