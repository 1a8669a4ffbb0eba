//! When a server is ready.

use std::net::SocketAddr;

use anyhow::Result;
use e2e_harness::{abide, process::Process};

/// Waits as [`abide::ready`] does, and lets others work meanwhile.
///
/// # Errors
/// When the server ends before, or is not ready in time. It is killed then.
pub async fn ready(process: Process, admin: SocketAddr) -> Result<Process> {
    Ok(tokio::task::spawn_blocking(move || abide::ready(process, admin)).await??)
}
