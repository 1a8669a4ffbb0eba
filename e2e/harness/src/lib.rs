//! What every end-to-end run needs, be it the demo, chaos, the interop suite or a test of the
//! server: real processes, from start to exit.
//!
//! Reading order: [`process`] (one process), [`programs`] (where cargo puts them), [`npm`]
//! (Restate's programs), [`python`], [`go`], [`maven`], [`ports`], [`abide`] (starting a server and
//! waiting until it is ready), [`services`], [`http`] (a minimal client for chores). `e2e/client` has the
//! full client, for programs with an async runtime.

pub mod abide;
mod error;
pub mod go;
pub mod http;
mod install;
pub mod maven;
pub mod npm;
pub mod ports;
pub mod process;
pub mod programs;
pub mod python;
pub mod services;

pub use error::{Error, Result};
