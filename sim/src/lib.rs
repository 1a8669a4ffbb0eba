//! Runs the whole runtime on one thread from one seed: the real partition turn, recovery, log and
//! store on media that lose and tear writes, the real `Attempt` and the real SDK, and handlers that
//! run small random programs.
//!
//! Reading order: [`program`] (what handlers do), [`handlers`] and [`perform`] (running it on the
//! SDK), [`task`] (one attempt: machine, wire, SDK), [`media`] (what can fail underneath a node),
//! [`node`] (the embedded node on those media, with optional sabotage), [`world`] (the main loop),
//! [`turns`], [`clients`], [`operators`], [`editors`], [`restarters`], `registrars`,
//! [`attempts`], [`backoff_tracker`], [`faults`] and [`restarts`] (what happens in it), [`checks`]
//! and [`followers`] (what must hold), [`stats`] (which faults had an effect), [`limits`] (which faults may occur), [`sabotage`] (which parts are
//! disabled), and [`shrink`] (reducing a failing simulation).
//!
//! The same seed always produces the same simulation, byte for byte; [`Report::digest`] verifies
//! that.

pub mod attempts;
pub mod backoff_tracker;
mod backups;
pub mod checks;
pub mod clients;
pub mod editors;
pub mod faults;
pub mod followers;
pub mod handlers;
pub mod limits;
pub mod media;
pub mod node;
pub mod operators;
pub mod perform;
pub mod program;
mod registrars;
pub mod restarters;
pub mod restarts;
pub mod sabotage;
pub mod shrink;
pub mod stats;
pub mod task;
pub mod turns;
pub mod world;

pub use limits::{Limits, Moment, Sabotage};
pub use stats::{Fault, Stats};
pub use world::{Report, World, run};

#[cfg(test)]
mod tests;
