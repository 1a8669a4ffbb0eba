//! The ingress and the admin API as a client sees them, for runs with an async runtime.
//!
//! Reading order: [`Server`] (where it is, and how it is asked), [`Answer`], [`ready`].

mod answer;
mod ready;
mod server;

pub use answer::Answer;
pub use ready::ready;
pub use server::Server;
