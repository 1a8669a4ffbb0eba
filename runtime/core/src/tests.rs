//! Scenarios, with events in and effects out, and properties that hold for every sequence of
//! events.

mod completion;
mod decoding;
mod ends;
mod formats;
mod happenings;
mod incidents;
mod invariants;
mod kill;
mod laws;
mod lifecycle;
mod objects;
mod operations;
mod partitions;
mod producers;
mod registry;
mod registry_audit;
mod restarts;
mod retention;
mod retries;
mod shared_results;
mod signals;
mod state_edits;
mod support;
mod tables;
mod width;
