//! The real binary with default settings, under hostile and unlucky clients. During each attack an
//! innocent client calls a healthy service. Each test reports how long that client waited and how
//! much memory the server took.
//!
//! Small by default. `cargo xtask attacks` runs the same at full size and bounds the innocent
//! client's wait.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "a run says what it found")]

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod connections;
mod crowd;
mod large_rows;
mod messages;
mod mixed;
mod queries;
mod readers;
mod site;
mod streams;

/// A size set by `cargo xtask attacks`, or the default.
fn size(name: &str, default: usize) -> usize {
    support::set_by(&format!("ATTACKS_{name}"), default)
}
