//! HTTP/1.1 endpoints that send what no SDK would: each test writes the response to an attempt
//! itself.

use std::future::Future;
use std::io;
use std::sync::Arc;

use e2e_client::Server;
use protocol::{
    ProtocolVersion,
    discovery::{HandlerType, ServiceType},
    wire::MessageType,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A service with one handler, on an HTTP/1.1 endpoint. The handler of a virtual object is shared.
#[derive(Clone, Copy)]
pub(crate) struct RawService {
    pub(crate) ty: ServiceType,
    pub(crate) service: &'static str,
    pub(crate) handler: &'static str,
}

impl RawService {
    /// Serves it from now on, with `attempt` handling each attempt, and registers it.
    pub(crate) async fn serve<F>(
        self,
        server: &Server,
        attempt: impl Fn(TcpStream) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let body = registration(&listener);
        let attempt = Arc::new(attempt);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let attempt = Arc::clone(&attempt);
                tokio::spawn(async move {
                    match is_discovery(&mut stream).await? {
                        true => self.describe(stream).await,
                        false => attempt(stream).await,
                    }
                });
            }
        });
        server.register(&body).await.unwrap().ok().unwrap();
    }

    /// Responds to one discovery request.
    pub(crate) async fn discovered(self, listener: &TcpListener) -> io::Result<()> {
        let (mut stream, _) = listener.accept().await?;
        assert!(is_discovery(&mut stream).await?, "an attempt before the registration");
        self.describe(stream).await
    }

    async fn describe(self, mut stream: TcpStream) -> io::Result<()> {
        let is_object = self.ty == ServiceType::VirtualObject;
        let handler =
            json!({ "name": self.handler, "ty": is_object.then_some(HandlerType::Shared) });
        let manifest = json!({
            "protocolMode": "REQUEST_RESPONSE", "minProtocolVersion": 5, "maxProtocolVersion": 6,
            "services": [{ "name": self.service, "ty": self.ty, "handlers": [handler] }]
        });
        let manifest = manifest.to_string();
        let content_type = "application/vnd.restate.endpointmanifest.v3+json";
        answer(&mut stream, content_type, manifest.len(), manifest.as_bytes()).await?;
        until_closed(stream).await
    }
}

/// The registration request of the endpoint that listens here.
pub(crate) fn registration(listener: &TcpListener) -> Value {
    json!({ "uri": format!("http://{}", listener.local_addr().unwrap()), "use_http_11": true })
}

/// Starts the response to an attempt: announces `length` bytes, and sends the first ones.
pub(crate) async fn speak(stream: &mut TcpStream, length: usize, words: &[u8]) -> io::Result<()> {
    answer(stream, ProtocolVersion::V6.content_type(), length, words).await
}

/// The header of a message of this type, whose body has this many bytes.
pub(crate) fn head_of(ty: MessageType, length: usize) -> Vec<u8> {
    let mut head = ty.0.to_be_bytes().to_vec();
    head.extend_from_slice(&[0, 0]);
    head.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
    head
}

/// Waits until the peer has closed the connection.
pub(crate) async fn until_closed(mut stream: TcpStream) -> io::Result<()> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await?;
    Ok(())
}

/// Reads the head of a request. Returns whether it is a discovery request.
async fn is_discovery(stream: &mut TcpStream) -> io::Result<bool> {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head.starts_with(b"GET"))
}

async fn answer(
    stream: &mut TcpStream,
    content_type: &str,
    length: usize,
    body: &[u8],
) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: {content_type}\r\n\
         content-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await
}
