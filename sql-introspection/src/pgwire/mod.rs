//! The PostgreSQL wire protocol: connections, sessions, and who may connect.
//!
//! Reading order: [`server`] (accepts connections), `connection` (the messages of one),
//! `startup` (who connects), `session` (statements and cursors), `rows` (batches as messages),
//! `cancel`.

mod bounded;
mod cancel;
mod connection;
mod rows;
pub mod server;
mod session;
mod settings;
mod startup;
mod statement;
mod tls;

pub use server::{Server, Settings};
pub(crate) use settings::SERVER_VERSION;
pub use startup::{Access, User};
pub use tls::{Tls, TlsError};
