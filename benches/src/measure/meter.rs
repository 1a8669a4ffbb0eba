//! Reads everything that takes part in a measurement at once.

use std::time::Instant;

use super::fsync::FsyncTrace;
use super::host;
use super::process::ProcessUsage;

/// What to read: the server, the services behind it, this process, and the machine.
#[derive(Clone, Debug)]
pub struct Meter {
    /// The server's process id.
    pub server_pid: u32,
    /// The services' process id.
    pub service_pid: u32,
    /// The trace of the server's fsyncs, if the run counts them.
    pub fsyncs: Option<FsyncTrace>,
}

/// All readings at one point in time.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    at: Instant,
    server: ProcessUsage,
    service: ProcessUsage,
    client: ProcessUsage,
    machine_busy_us: u64,
    fsyncs: Option<u64>,
}

/// Resources used between two readings.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Time between the readings, in seconds.
    pub seconds: f64,
    /// The server's processor time, in microseconds.
    pub server_cpu_us: f64,
    /// The services' processor time, in microseconds.
    pub service_cpu_us: f64,
    /// This process's own processor time, in microseconds.
    pub client_cpu_us: f64,
    /// Number of cores kept busy by processes outside the measurement.
    pub other_cores: f64,
    /// Bytes that the server caused to be written to storage.
    pub written_bytes: f64,
    /// The server's resident memory at the second reading, in bytes.
    pub rss_bytes: f64,
    /// The server's fsyncs, if counted.
    pub fsyncs: Option<f64>,
}

impl Meter {
    /// Takes a reading.
    pub fn read(&self) -> anyhow::Result<Reading> {
        Ok(Reading {
            at: Instant::now(),
            server: ProcessUsage::of(self.server_pid)?,
            service: ProcessUsage::of(self.service_pid)?,
            client: ProcessUsage::of(std::process::id())?,
            machine_busy_us: host::busy_us()?,
            fsyncs: self.fsyncs.as_ref().map(FsyncTrace::count),
        })
    }
}

impl Reading {
    /// Resources used from this reading until a later one.
    pub fn until(&self, later: &Self) -> Usage {
        let seconds = (later.at - self.at).as_secs_f64();
        let difference = |before: u64, after: u64| after.saturating_sub(before) as f64;
        let cpu =
            |before: ProcessUsage, after: ProcessUsage| difference(before.cpu_us, after.cpu_us);
        let server_cpu_us = cpu(self.server, later.server);
        let service_cpu_us = cpu(self.service, later.service);
        let client_cpu_us = cpu(self.client, later.client);
        let busy_us = difference(self.machine_busy_us, later.machine_busy_us);
        let other_us = busy_us - server_cpu_us - service_cpu_us - client_cpu_us;
        Usage {
            seconds,
            server_cpu_us,
            service_cpu_us,
            client_cpu_us,
            other_cores: (other_us / 1e6 / seconds).max(0.0),
            written_bytes: difference(self.server.written_bytes, later.server.written_bytes),
            rss_bytes: later.server.rss_bytes as f64,
            fsyncs: self.fsyncs.zip(later.fsyncs).map(|(before, after)| difference(before, after)),
        }
    }
}
