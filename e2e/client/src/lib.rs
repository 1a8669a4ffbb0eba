//! The ingress and the admin API as a client sees them, for test runs with an async runtime.
//!
//! Reading order: [`Server`] (its addresses, and how to send requests), [`Answer`], [`ready`].

mod answer;
mod ready;
mod server;

pub use answer::Answer;
pub use ready::ready;
pub use server::Server;
