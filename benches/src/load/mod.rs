//! The load generator: closed loops of keep-alive HTTP/1.1 requests on one thread, as cheap as
//! possible, because it shares the machine with what it measures.

pub mod closed_loop;
pub mod connection;
pub mod query;
pub mod request;
pub mod response;
