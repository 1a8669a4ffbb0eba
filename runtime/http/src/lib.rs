//! The HTTP server that the ingress and the admin API share: how many connections there may be, for
//! how long, and how fast the peer has to be.
//!
//! Reading order: [`limits`] (every bound, with its reason), `activity` (what a connection is
//! doing, pure), `connections` (the open connections, and which one is evicted when all permits are
//! taken), [`server`] (the accept loop), `io` (the observed byte stream), [`body`] (bodies with a
//! minimum rate), [`linger`] (draining refused bodies), [`allowed_hosts`] (which host names a server
//! accepts).
//!
//! **Invariant:** nothing here knows what a request means. Closing a connection loses no result:
//! the client can ask again.

mod activity;
pub mod allowed_hosts;
pub mod body;
mod connections;
mod io;
pub mod limits;
pub mod linger;
pub mod server;

pub use allowed_hosts::Hosts;
pub use limits::{Limits, Pressure};
pub use server::serve;

#[cfg(test)]
mod tests;
