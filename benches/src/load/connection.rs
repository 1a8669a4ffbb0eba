//! One keep-alive connection that sends a request and waits for its response.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::response::Head;

/// Largest accepted response, in bytes; every workload's responses are far smaller.
const RESPONSE_BYTES_MAX: usize = 1 << 20;

/// A connection with at most one request in flight.
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// A response. The body is as sent, including any chunk headers.
pub struct Response<'a> {
    /// The status code.
    pub status: u16,
    /// The bytes after the head.
    pub body: &'a [u8],
}

impl Connection {
    /// Connects to a server, with TCP_NODELAY set.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(4096) })
    }

    /// Sends one request and waits for the complete response.
    pub async fn round_trip(&mut self, request: &[u8]) -> io::Result<Response<'_>> {
        self.stream.write_all(request).await?;
        self.received.clear();
        let mut head = None;
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if head.is_none() {
                head = Head::parse(&self.received)?;
            }
            if let Some(head) = head.filter(|head| head.is_complete(&self.received)) {
                let body = &self.received[head.head_bytes..];
                return Ok(Response { status: head.status, body });
            }
            if self.received.len() > RESPONSE_BYTES_MAX {
                return Err(io::Error::other("response too large"));
            }
        }
    }
}

/// Sends one request over a connection of its own.
pub async fn request_once(address: SocketAddr, request: &[u8]) -> io::Result<(u16, String)> {
    let mut connection = Connection::open(address).await?;
    let answer = connection.round_trip(request).await?;
    Ok((answer.status, String::from_utf8_lossy(answer.body).into_owned()))
}
