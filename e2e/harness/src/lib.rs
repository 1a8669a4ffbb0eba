//! What every end-to-end run needs, be it a demo, chaos, the interop suite or a test of the server: real
//! processes, from their start to their end.
//!
//! Reading order: [`process`] (one process), [`programs`] (where cargo puts them), [`npm`] (where
//! Restate's come from), [`ports`], [`abide`] (a server, and when it is ready), [`services`], [`http`] (the little that
//! chores ask of it). `e2e/client` asks the rest, for those that have an async runtime.

pub mod abide;
mod error;
pub mod http;
pub mod npm;
pub mod ports;
pub mod process;
pub mod programs;
pub mod services;

pub use error::{Error, Result};
