//! Why something does not go on: every kind of wait is made on purpose, on the real binary with
//! services on our SDK, and has to be named, with its cause and what helps.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attempts;
mod commands;
mod cycles;
mod groups;
mod keys;
mod results;
mod rig;
mod services;
#[path = "../support/mod.rs"]
mod support;
