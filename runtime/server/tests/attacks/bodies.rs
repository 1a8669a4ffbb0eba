//! Bodies: many large ones at once, one in tiny pieces, one that does not come.

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{site::Site, size};

const LARGE_BYTES: usize = 31 << 20;

fn head(site: &Site, what: &str) -> String {
    format!(
        "POST /Healthy/take HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
         content-type: application/octet-stream\r\n{what}\r\n\r\n",
        site.ingress
    )
}

/// The status of an answer; 0 when the connection was closed before it.
async fn status(stream: &mut tokio::net::TcpStream) -> u16 {
    let mut answer = [0; 12];
    match stream.read_exact(&mut answer).await {
        Ok(_) => String::from_utf8_lossy(&answer[9..]).parse().unwrap_or_default(),
        Err(_) => 0,
    }
}

/// Sends large bodies at once; what each is answered.
pub(crate) async fn send_large(site: &Site, count: usize) -> Vec<u16> {
    let head = head(site, &format!("content-length: {LARGE_BYTES}"));
    send_each(&site.ingress, &head, count).await
}

async fn send_each(address: &str, head: &str, count: usize) -> Vec<u16> {
    let body = vec![b'x'; LARGE_BYTES];
    let asks = (0..count).map(|_| async {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // Whoever is refused is so before all is sent.
        let _ = stream.write_all(&body).await;
        status(&mut stream).await
    });
    join_all(asks).await
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_at_once_are_taken_or_refused() {
    let site = Site::start(None).await;
    let count = size("BODIES", 10);
    let answers = send_large(&site, count).await;
    let (taken, refused) = (
        answers.iter().filter(|status| **status == 200).count(),
        answers.iter().filter(|status| matches!(**status, 503 | 0)).count(),
    );
    assert!(taken > 0 && taken + refused == count, "{answers:?}");
    let what = format!("{count} bodies of 31 MB, {taken} taken and {refused} refused");
    site.report("bodies", &what).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_tiny_chunks_takes_no_more_than_its_length() {
    let site = Site::start(None).await;
    let count = size("CHUNKS", 1 << 20);
    let mut stream = site.ask(&head(&site, "transfer-encoding: chunked")).await;
    let chunks = "1\r\nx\r\n".repeat(10_000);
    for _ in 0..count / 10_000 {
        stream.write_all(chunks.as_bytes()).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert_eq!(status(&mut stream).await, 200);
    site.report("chunks", &format!("a body of {count} chunks of a byte each")).await;
}

/// Has large payloads converted at the admin API; what each is answered.
pub(crate) async fn convert_large(site: &Site, count: usize) -> Vec<u16> {
    let admin = site.server.admin.trim_start_matches("http://").to_owned();
    let head = format!(
        "POST /internal/services/Healthy/serdes/decode/json HTTP/1.1\r\nhost: {admin}\r\n\
         connection: close\r\ncontent-length: {LARGE_BYTES}\r\n\r\n"
    );
    send_each(&admin, &head, count).await
}

#[tokio::test(flavor = "multi_thread")]
async fn large_payloads_for_operators_wait_for_memory() {
    let site = Site::start(None).await;
    let count = size("PAYLOADS", 8);
    let answers = convert_large(&site, count).await;
    // Our SDK converts nothing, which is what each of them is told.
    assert!(answers.iter().all(|status| *status == 500), "{answers:?}");
    site.report("payloads", &format!("{count} payloads of 31 MB for the admin API")).await;
}
