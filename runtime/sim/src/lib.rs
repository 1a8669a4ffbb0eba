//! The whole runtime on one thread, from one seed: the real turn, the real recovery, the real log and
//! store on media that lose and tear writes, the real Attempt and Vm, and handlers that are small
//! random programs.
//!
//! Reading order: [`program`] (what handlers do), [`interpreter`] (doing it on the Vm), [`task`] (one
//! attempt: machine, wire, Vm), [`node`] (the runtime on simulated media), [`world`] (the loop and the
//! faults), [`checks`] (what must hold), [`shrink`] (a smaller world that still fails).
//!
//! The same seed gives the same world, byte for byte: [`world::World::digest`] says so.

pub mod checks;
pub mod clock;
pub mod interpreter;
pub mod node;
pub mod program;
pub mod random;
pub mod shrink;
pub mod task;
pub mod world;

pub use world::{Limits, Moment, Report, Sabotage, World, run};

#[cfg(test)]
mod tests;
