//! PostgreSQL's drivers and tools against our server: small programs in other languages, and psql
//! with the queries of tools that browse databases.
//!
//! Reading order: [`rows`] (what there is to select), [`programs`], [`tools`].

pub mod programs;
pub mod rows;
pub mod tools;

use std::net::SocketAddr;
use std::process::Command;

/// A program that finds the server through PostgreSQL's environment variables. Any user and any
/// database will do.
fn client(program: impl AsRef<std::ffi::OsStr>, sql: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command
        .env("PGHOST", sql.ip().to_string())
        .env("PGPORT", sql.port().to_string())
        .env("PGUSER", "anyone")
        .env("PGDATABASE", "anything");
    command
}
