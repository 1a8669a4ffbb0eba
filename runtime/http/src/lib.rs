//! HTTP servers as the ingress and the admin API need them: who may be connected, for how long, and how
//! fast the other side has to be.
//!
//! Reading order: [`limits`] (every bound, with its reason), `activity` (what a connection is doing,
//! pure), `connections` (who is connected, and who has to go when there is no place), [`server`] (the
//! accept loop), `io` (bytes, watched), [`body`] (bodies, watched), [`linger`] (bodies, refused),
//! [`hosts`] (whom a request is meant for), [`rfc3339`] (how an answer names a time).
//!
//! **Invariant:** nothing here knows what a request means. A connection that is closed loses no result:
//! whoever asked can ask again.

mod activity;
pub mod body;
mod connections;
pub mod hosts;
mod io;
pub mod limits;
pub mod linger;
pub mod rfc3339;
pub mod server;

pub use hosts::Hosts;
pub use limits::{Limits, Pressure};
pub use server::serve;

#[cfg(test)]
mod tests;
