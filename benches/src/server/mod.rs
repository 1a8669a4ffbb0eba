//! The servers under test and the services behind them: how each is launched, when it is ready, and
//! how it is stopped.

mod launch;
mod ports;
mod process;
mod readiness;
mod stand;
mod tally;

pub use launch::{Installation, ServerKind};
pub use ports::Ports;
pub use stand::{Stand, Tracing};
pub use tally::Tally;
