//! The PostgreSQL wire protocol: connections, sessions, and who may connect.
//!
//! Reading order: [`server`] (accepts connections), `connection` (the messages of one, which
//! `bounded` keeps small), `startup` (who connects), `statement` (what one asks for), `session` (how
//! it is executed), `settings`, `cursor`, `listening`. How statements come: `simple`, `prepared` and `extended`.
//! `rows` (batches as messages), `cancel`, `shared_bytes`, `tls`.

mod bounded;
mod cancel;
mod connection;
mod cursor;
mod extended;
mod listening;
mod prepared;
mod rows;
pub mod server;
mod session;
mod settings;
mod shared_bytes;
mod simple;
mod startup;
mod statement;
mod tls;

pub use server::{Server, Settings};
pub(crate) use settings::SERVER_VERSION;
pub use startup::{Access, User};
pub use tls::{Tls, TlsError};
