//! Readers that ask for much and take nothing.

use tokio::io::AsyncReadExt;

use crate::{site::Site, size};

const LARGE_BYTES: usize = 30 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn idle_readers_of_a_large_result_hold_little() {
    let site = Site::start(None).await;
    let count = size("READERS", 12);
    let body = LARGE_BYTES.to_string();
    let request = format!(
        "POST /Healthy/give HTTP/1.1\r\nhost: {}\r\nidempotency-key: one\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        site.ingress,
        body.len()
    );
    // It is stored, and read once.
    let mut first = site.ask(&request).await;
    let mut answer = Vec::new();
    first.read_to_end(&mut answer).await.unwrap();
    assert!(answer.len() > LARGE_BYTES);
    drop(answer);
    let mut idle = Vec::new();
    for _ in 0..count {
        idle.push(site.ask(&request).await);
        site.until_innocent_is_served().await;
    }
    // Whoever reads gets all of it nevertheless.
    let mut reader = site.ask(&request).await;
    let mut answer = Vec::new();
    reader.read_to_end(&mut answer).await.unwrap();
    assert!(answer.len() > LARGE_BYTES, "{} bytes", answer.len());
    drop(idle);
    site.report("readers", &format!("{count} idle readers of a result of 30 MB")).await;
}
