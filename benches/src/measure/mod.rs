//! Measurements of the machine while the load runs: processes, the host, fsyncs, and disk latency.

pub mod disk;
pub mod fsync;
pub mod host;
pub mod meter;
pub mod process;
