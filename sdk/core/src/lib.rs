//! The Vm: one attempt at a handler, seen from the SDK. Pure: bytes in, bytes out.
//!
//! ```text
//!  WaitingForStart --Start--> ReadingJournal --all known entries--> Running --last word--> Closed
//!                                    Running: Replaying --last known command--> Processing
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
//! Reading order: [`vm`] and what there is in its stages (`reading`, `running`), `replay` (comparing
//! with the journal), `results` (what has arrived), `waiting` (who waits), [`turn`] (what comes next),
//! `cancellation`, `syscalls` (one command a file), [`random`], [`error`].

mod cancellation;
pub mod error;
pub mod random;
mod reading;
mod replay;
mod results;
mod running;
mod syscalls;
pub mod turn;
pub mod vm;
mod waiting;

pub use error::{Site, VmError};
pub use running::Input;
pub use syscalls::run::RunRetry;
pub use turn::Turn;
#[doc(hidden)]
pub use vm::Sabotage;
pub use vm::{Handle, Options, Vm};
pub use waiting::{Offer, Place, Wait};

#[cfg(test)]
mod tests;
