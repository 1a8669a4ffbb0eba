//! SQL, asked as people and tools do: with the real `psql`, with `abide sql`, over the admin API,
//! and by clients that misbehave.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod attempts;
mod bad_input;
mod catalogue;
mod cli;
mod counts;
mod journal;
mod listen;
mod originals;
mod psql;
mod read_your_writes;
mod session;
mod settings;
#[path = "../support/mod.rs"]
mod support;
