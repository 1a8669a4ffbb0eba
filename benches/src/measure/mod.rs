//! What is read from the machine while the load runs: processes, the host, fsyncs, latencies of
//! the disk.

pub mod disk;
pub mod fsync;
pub mod host;
pub mod meter;
pub mod process;
