//! Clients that request large responses and don't read them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    time::sleep,
};

use crate::{site::Site, size};

pub(crate) const LARGE_BYTES: usize = 30 << 20;
/// By then a client that does not read has lost its connection, if others wait for memory.
const COMES_AGAIN: Duration = Duration::from_millis(1200);

/// Makes a large result and reads it once. Returns a request that reads it again.
pub(crate) async fn large_result(site: &Site) -> String {
    let body = LARGE_BYTES.to_string();
    let request = format!(
        "POST /Healthy/give HTTP/1.1\r\nhost: {}\r\nidempotency-key: one\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        site.ingress,
        body.len()
    );
    read_all(site, &request).await;
    request
}

async fn read_all(site: &Site, request: &str) {
    let mut reader = site.ask(request).await;
    let mut answer = Vec::new();
    reader.read_to_end(&mut answer).await.unwrap();
    assert!(answer.len() > LARGE_BYTES, "{} bytes", answer.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_readers_of_a_large_result_hold_little() {
    let site = Site::start(None).await;
    let count = size("READERS", 12);
    let request = large_result(&site).await;
    let mut idle = Vec::new();
    for _ in 0..count {
        idle.push(site.ask(&request).await);
        site.until_innocent_is_served().await;
    }
    // A client that reads still gets all of it.
    read_all(&site, &request).await;
    drop(idle);
    site.report("readers", &format!("{count} idle readers of a result of 30 MB")).await;
}

/// Requests the result, reads nothing, and repeats.
pub(crate) fn come_again(
    site: &Site,
    request: &Arc<String>,
    asked: &Arc<AtomicUsize>,
) -> impl Future<Output = ()> + Send + use<> {
    let (ingress, request) = (site.ingress.clone(), Arc::clone(request));
    let asked = Arc::clone(asked);
    async move {
        loop {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4096).unwrap();
            // The server may have closed the connection in the meantime, as it does to such
            // clients.
            if let Ok(mut stream) = socket.connect(ingress.parse().unwrap()).await
                && stream.write_all(request.as_bytes()).await.is_ok()
            {
                asked.fetch_add(1, Ordering::Relaxed);
                sleep(COMES_AGAIN).await;
            }
        }
    }
}

/// Each client repeats its request once it has lost its connection.
#[tokio::test(flavor = "multi_thread")]
async fn readers_that_come_again_and_read_nothing_stop_nobody() {
    let site = Site::start(None).await;
    let (count, rounds) = (size("READERS", 12), 3);
    let request = Arc::new(large_result(&site).await);
    let asked = Arc::new(AtomicUsize::new(0));
    let idle: Vec<_> =
        (0..count).map(|_| come_again(&site, &request, &asked)).map(tokio::spawn).collect();
    while asked.load(Ordering::Relaxed) < count * rounds {
        site.until_innocent_is_served().await;
    }
    idle.iter().for_each(tokio::task::JoinHandle::abort);
    let asked = asked.load(Ordering::Relaxed);
    let what = format!("{count} readers ask {asked} times for a result of 30 MB and read nothing");
    site.report("returning readers", &what).await;
}
