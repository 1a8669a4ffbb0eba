//! Starting our server, and waiting until a server is ready.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{Error, Result, http, ports, process::Process};

/// How to start our server; may be started repeatedly, on the same data and addresses.
#[derive(Debug, Clone)]
pub struct Abide {
    /// The server binary.
    pub program: PathBuf,
    /// The data directory.
    pub data: PathBuf,
    /// Address of the ingress.
    pub ingress: SocketAddr,
    /// Address of the admin API.
    pub admin: SocketAddr,
    /// Address for PostgreSQL clients.
    pub sql: SocketAddr,
    /// Additional flags.
    pub flags: Vec<String>,
}

/// Long enough for a debug build that has to replay a long log.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

impl Abide {
    /// Chooses free ports.
    ///
    /// # Errors
    /// Returns an error if there are none.
    pub fn on_free_ports(program: PathBuf, data: PathBuf) -> Result<Self> {
        let (ingress, admin, sql) = (ports::free()?, ports::free()?, ports::free()?);
        Ok(Self { program, data, ingress, admin, sql, flags: Vec::new() })
    }

    /// Returns the command that starts the server.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("serve")
            .arg("--data-dir")
            .arg(&self.data)
            .arg(format!("--ingress-address={}", self.ingress))
            .arg(format!("--admin-address={}", self.admin))
            .arg(format!("--sql-address={}", self.sql))
            .args(&self.flags);
        command
    }
}

/// Waits until a server, ours or Restate's, reports on its admin address that it is healthy.
///
/// # Errors
/// Returns an error if the server exits early or is not ready after a minute, in which case it is
/// killed.
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
