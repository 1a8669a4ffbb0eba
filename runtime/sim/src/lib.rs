//! The whole runtime on one thread, from one seed: the real turn, the real recovery, the real log and
//! store on media that lose and tear writes, the real Attempt and the real SDK, and handlers that are
//! small random programs.
//!
//! Reading order: [`program`] (what handlers do), [`handlers`] (doing it on the SDK), [`task`]
//! (one attempt: machine, wire, SDK), [`pipe`] (a request's body), [`node`] (the runtime on simulated media), [`world`] (the loop and the
//! faults), [`checks`] (what must hold), [`shrink`] (a smaller world that still fails).
//!
//! The same seed gives the same world, byte for byte: `world::World::digest` says so.

pub mod checks;
pub mod clock;
pub mod handlers;
pub mod node;
pub mod pipe;
pub mod program;
pub mod random;
pub mod shrink;
pub mod task;
pub mod world;

pub use world::{Limits, Moment, Report, Sabotage, World, run};

#[cfg(test)]
mod tests;
