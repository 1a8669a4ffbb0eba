//! The ingress and the admin API as a client sees them, for test runs with an async runtime.
//!
//! Reading order: [`Server`] (its addresses, and how to send requests), [`HttpResponse`], [`ready`].

mod ready;
mod response;
mod server;

pub use ready::ready;
pub use response::HttpResponse;
pub use server::Server;
