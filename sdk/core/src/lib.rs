//! The Vm: one attempt at a handler, from the SDK's side. Pure: bytes in, bytes out.
//!
//! ```text
//!  WaitingForStart --Start--> ReadingJournal --all known entries--> Running --final frame--> Closed
//!                                    Running: Replaying --last known command--> Processing
//! ```
//!
//! Pass the runtime's bytes to [`Vm::push`] and call [`Vm::close_input`] at their end. Once
//! [`Vm::is_ready_to_run`] returns true, run the handler. Each `sys_*` method issues its command
//! immediately and returns a [`Handle`]. The executor of the handler's futures registers waits
//! ([`Vm::wait`]) and asks [`Vm::turn`] what to do next. Send the bytes of [`Vm::take_output`]
//! after each of these calls.
//!
//! What makes handlers deterministic: results become visible one at a time, in journal order, so
//! the winner of a race is the same on every replay, however the bytes arrive.
//!
//! Reading order: [`vm`] and the state of its stages (`reading`, `running`), `replay` (comparison
//! with the journal), `results` (what has arrived), `waiting` (the handler's waits), [`turn`] (what
//! happens next), `cancellation`, `syscalls` (one module per kind of command), [`random`],
//! [`error`].

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
pub use vm::{Handle, Vm, VmOptions};
pub use waiting::{Offer, Wait, WaitNode};

#[cfg(test)]
mod tests;
