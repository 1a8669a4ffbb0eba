//! Waiting until a server is ready.

use std::net::SocketAddr;

use anyhow::Result;
use e2e_harness::{abide, process::Process};

/// Waits like [`abide::ready`], without blocking other tasks.
///
/// # Errors
/// Returns an error if the server exits early or is not ready in time, in which case it is killed.
pub async fn ready(process: Process, admin: SocketAddr) -> Result<Process> {
    Ok(tokio::task::spawn_blocking(move || abide::ready(process, admin)).await??)
}
