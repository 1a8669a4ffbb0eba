//! The PostgreSQL wire protocol: connections, sessions, and who may connect.
//!
//! Reading order: [`server`] (accepts connections, as far as `door` lets them in), `connection` (the
//! messages of one, which `frames` reads and checks), `startup` (who connects), `statement` (what one
//! asks for), `session` (how it is prepared), `kept` (what stays between messages), `execution`,
//! `interruption`, `session_functions`, `cursor`, `listening`. How statements come: `simple`,
//! `prepared`, `parameters` (with `numeric` and `intervals`) and `extended`. `rows` (batches as messages), `cancel`, `shared_bytes`,
//! `tls`.

mod cancel;
mod connection;
mod cursor;
mod door;
mod execution;
mod extended;
mod frames;
mod interruption;
mod intervals;
mod kept;
mod listening;
mod numeric;
mod parameters;
mod prepared;
mod rows;
pub mod server;
mod session;
mod session_functions;
mod shared_bytes;
mod simple;
mod startup;
mod statement;
mod tls;

pub use door::WAITING_MAX as CONNECTIONS_WAITING_MAX;
pub use server::{Server, Settings};
pub use startup::{Access, User};
pub use tls::{Tls, TlsError};

#[cfg(test)]
mod tests;
