//! The Vm: one attempt at a handler, seen from the SDK. Pure: bytes in, bytes out.
//!
//! ```text
//!  Starting --Start--> Loading --all known entries--> Replaying --last command--> Processing --> Closed
//! ```
//!
//! Call [`Vm::push`] with what the runtime sends and [`Vm::close_input`] when it has ended; when
//! [`Vm::is_ready_to_run`] says so, run the handler. Each `sys_*` issues its command at once and
//! returns a [`Handle`]. An executor of futures says who waits ([`Vm::wait`]) and asks [`Vm::turn`] what to
//! do. Send [`Vm::take_output`] after each of these.
//!
//! What makes a handler deterministic: results become visible one at a time, in journal order, so
//! that the winner of a race is the same on every replay, however the bytes arrive.
//!
//! Reading order: [`vm`], `replay` (comparing with the journal), `results` (what has arrived),
//! [`turn`] (waiting), `syscalls` (one command a file), [`random`], [`error`].

pub mod error;
pub mod random;
mod replay;
mod results;
mod syscalls;
pub mod turn;
pub mod vm;

pub use error::{Site, VmError};
pub use syscalls::run::RunRetry;
pub use turn::{Offer, Place, Turn, Wait};
#[doc(hidden)]
pub use vm::Sabotage;
pub use vm::{Handle, Options, Vm};

#[cfg(test)]
mod tests;
