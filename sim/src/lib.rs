//! The whole runtime on one thread, from one seed: the real turn, the real recovery, the real log and
//! store on media that lose and tear writes, the real Attempt and the real SDK, and handlers that are
//! small random programs.
//!
//! Reading order: [`program`] (what handlers do), [`handlers`] and [`perform`] (doing it on the SDK),
//! [`task`] (one attempt: machine, wire, SDK), [`media`] (what can go wrong under a node), [`node`] (the
//! embedded node, with that and with parts left out), [`world`] (the loop), [`clients`], [`operators`], [`attempts`],
//! [`backing`] and [`faults`] (what happens in it), [`checks`] and [`followers`] (what must hold), [`stats`] (what found something at
//! risk), [`limits`] (what may happen), [`sabotage`] (what is left out), [`shrink`] (a smaller world that
//! still fails).
//!
//! The same seed gives the same world, byte for byte: `world::World::digest` says so.

pub mod attempts;
pub mod backing;
pub mod checks;
pub mod clients;
pub mod faults;
pub mod followers;
pub mod handlers;
pub mod limits;
pub mod media;
pub mod node;
pub mod operators;
pub mod perform;
pub mod program;
pub mod sabotage;
pub mod shrink;
pub mod stats;
pub mod task;
pub mod world;

pub use limits::{Limits, Moment, Sabotage};
pub use stats::{Fault, Stats};
pub use world::{Report, World, run};

#[cfg(test)]
mod tests;
