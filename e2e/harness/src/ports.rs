//! Ports for servers that are started later, and restarted: outside the range from which the system
//! assigns client ports, any of which could be taken by then.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Error, Result};

/// Below 32768, where Linux's range of client ports starts.
const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// Returns a port that is free on this machine, and that this process does not hand out again soon.
///
/// # Errors
/// Returns an error if no port is free.
pub fn free() -> Result<SocketAddr> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Processes start at different ports.
    let start = std::process::id().wrapping_mul(7919);
    let next = || start.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % COUNT + FIRST;
    let ports = std::iter::repeat_with(next).take(COUNT as usize);
    let mut addresses = ports
        .filter_map(|port| u16::try_from(port).ok())
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let free = addresses.find(|address| TcpListener::bind(address).is_ok());
    free.ok_or_else(|| Error::new("no port is free"))
}
