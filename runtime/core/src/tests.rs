//! Stories: events in, effects out; and the laws that hold for all of them.

mod completion;
mod formats;
mod invariants;
mod laws;
mod lifecycle;
mod objects;
mod partitions;
mod support;
mod tables;
