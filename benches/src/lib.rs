//! Load generator and report: compares servers that speak the Restate ingress, admin and service
//! protocols. All servers are measured within one run, in turn, so that a noisy machine affects all
//! of them.

pub mod cli;
pub mod load;
pub mod measure;
pub mod part;
pub mod report;
pub mod sample;
pub mod server;
pub mod tally;
pub mod workload;
