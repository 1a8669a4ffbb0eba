//! SQL queries over the admin API, one at a time.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::connection::Connection;

/// A keep-alive connection to the admin API.
pub struct QueryConnection {
    connection: Connection,
}

impl QueryConnection {
    /// Connects to an admin API.
    pub async fn open(admin: SocketAddr) -> io::Result<Self> {
        Ok(Self { connection: Connection::open(admin).await? })
    }

    /// Asks a query that contains no double quotes; returns the time until the last row has been
    /// received.
    pub async fn ask(&mut self, sql: &str) -> io::Result<Duration> {
        let body = format!("{{\"query\":\"{sql}\"}}");
        let request = format!(
            "POST /query HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let sent = Instant::now();
        let response = self.connection.round_trip(request.as_bytes()).await?;
        match response.status {
            200 => Ok(sent.elapsed()),
            status => {
                let text = String::from_utf8_lossy(response.body);
                Err(io::Error::other(format!("{status} for {sql}: {text}")))
            }
        }
    }
}
