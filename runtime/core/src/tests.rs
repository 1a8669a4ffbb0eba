//! Stories: events in, effects out; and the laws that hold for all of them.

mod completion;
mod decoding;
mod ends;
mod formats;
mod happenings;
mod invariants;
mod kill;
mod laws;
mod lifecycle;
mod objects;
mod partitions;
mod producers;
mod registry;
mod retention;
mod retries;
mod signals;
mod support;
mod tables;
mod width;
