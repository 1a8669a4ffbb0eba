//! Endpoints that say what no SDK would.

use protocol::{ProtocolVersion, wire::MessageType};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{site::Site, size};

const MANIFEST: &str = r#"{"protocolMode":"REQUEST_RESPONSE","minProtocolVersion":5,"maxProtocolVersion":6,"services":[{"name":"Evil","ty":"SERVICE","handlers":[{"name":"call"}]}]}"#;

/// An endpoint in HTTP/1.1 that answers each attempt with these bytes.
async fn endpoint(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let answer = std::sync::Arc::new(answer);
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, std::sync::Arc::clone(&answer)));
        }
    });
    uri
}

/// Answers a discovery whose method has been read.
pub(crate) async fn discovered(mut stream: TcpStream) -> std::io::Result<()> {
    let response = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: \
         application/vnd.restate.endpointmanifest.v3+json\r\ncontent-length: {}\r\n\r\n{MANIFEST}",
        MANIFEST.len()
    );
    stream.write_all(response.as_bytes()).await?;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await?;
    Ok(())
}

/// Answers one request, and waits until the other side has closed.
pub(crate) async fn serve(
    mut stream: TcpStream,
    answer: std::sync::Arc<Vec<u8>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let (content_type, body) = if head.starts_with(b"GET") {
        ("application/vnd.restate.endpointmanifest.v3+json", MANIFEST.as_bytes())
    } else {
        (ProtocolVersion::V6.content_type(), &answer[..])
    };
    let response = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: {content_type}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(response.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_empty_fields_is_refused_unread() {
    let site = Site::start(None).await;
    // A call whose headers are all empty.
    let fields = size("FIELDS", 15 << 20);
    let body = [4 << 3 | 2, 0].repeat(fields);
    let mut frame = MessageType::CALL_COMMAND.0.to_be_bytes().to_vec();
    frame.extend_from_slice(&[0, 0]);
    frame.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&body);
    let body = json!({ "uri": endpoint(frame).await, "use_http_11": true });
    site.server.register(&body).await.unwrap().ok().unwrap();
    let count = size("EVIL", 4);
    for _ in 0..count {
        site.server.send_to("/Evil/call", Value::Null).await.unwrap();
    }
    // The first failure says why.
    let failures = site.server.eventually(|| async {
        let url = format!("{}/invocations", site.server.admin);
        let listed = site.server.send(http::Method::GET, &url, &[], "").await?.ok()?.to_string();
        anyhow::ensure!(listed.contains("more than 65536 fields"), "{listed}");
        Ok(())
    });
    failures.await.unwrap();
    site.report("fields", &format!("{count} messages of {fields} empty fields")).await;
}
