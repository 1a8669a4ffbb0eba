//! Attacks with bodies: many large ones at once, one in tiny chunks, and ones that do not arrive.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use http::Method;
use protocol::{AwakeableId, InvocationId, PartitionKey};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
};

use crate::{site::Site, size};

const LARGE_BYTES: usize = 31 << 20;

fn head(site: &Site, what: &str) -> String {
    format!(
        "POST /Healthy/take HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
         content-type: application/octet-stream\r\n{what}\r\n\r\n",
        site.ingress
    )
}

/// The status of the response. 0 if the connection was closed first.
async fn status(stream: &mut TcpStream) -> u16 {
    let mut answer = [0; 12];
    match stream.read_exact(&mut answer).await {
        Ok(_) => String::from_utf8_lossy(&answer[9..]).parse().unwrap_or_default(),
        Err(_) => 0,
    }
}

/// Sends large bodies at once and returns the status of each.
pub(crate) async fn send_large(site: &Site, count: usize) -> Vec<u16> {
    let head = head(site, &format!("content-length: {LARGE_BYTES}"));
    send_each(&site.ingress, &head, count).await
}

async fn send_each(address: &str, head: &str, count: usize) -> Vec<u16> {
    let body = vec![b'x'; LARGE_BYTES];
    let asks = (0..count).map(|_| async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // This fails if the request is refused before all of it has been sent.
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

/// Sends bodies up to their last bytes, which then trickle in one at a time for as long as the
/// returned set lives.
async fn trickle(site: &Site, path: &str) -> JoinSet<()> {
    let mut trickling = JoinSet::new();
    let begun = Arc::new(Semaphore::new(0));
    for (count, bytes) in [(12, 7_900_000), (24, 1_900_000), (24, 400_000), (120, 125_000)] {
        let rest = 10_000;
        for _ in 0..count {
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/octet-stream\r\n\
                 content-length: {bytes}\r\n\r\n",
                site.ingress
            );
            let mut stream = site.ask(&head).await;
            let has_begun = Arc::clone(&begun);
            trickling.spawn(async move {
                let body = vec![b'x'; bytes - rest];
                // Some bodies wait for memory, or are refused.
                let sending = stream.write_all(&body);
                let mut sent =
                    tokio::time::timeout(Duration::from_secs(2), sending).await.unwrap_or(Ok(()));
                has_begun.add_permits(1);
                while sent.is_ok() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    sent = stream.write_all(b"x").await;
                }
            });
            // One after the other, so that each gets as much memory as possible.
            begun.acquire().await.unwrap().forget();
        }
    }
    trickling
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_hardly_get_on_keep_no_memory_from_others() {
    // An awakeable of an invocation that does not exist.
    let invocation = InvocationId { partition_key: PartitionKey(7), uuid: 7 };
    let awakeable = AwakeableId { invocation, signal: 17 };
    let awakeable = format!("/restate/awakeables/{awakeable}/resolve");
    for (path, taken) in [("/Healthy/take", 200), (awakeable.as_str(), 202)] {
        let site = Site::start(None).await;
        let trickling = trickle(&site, path).await;
        let begun = Instant::now();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             content-type: application/octet-stream\r\ncontent-length: 1000000\r\n\r\n",
            site.ingress
        );
        // Until the trickling bodies lose their memory, these are refused, or wait.
        let ask = async {
            let (mut refused, mut served) = (0, 0);
            while served < 10 {
                let mut stream = site.ask(&head).await;
                let _ = stream.write_all(&vec![b'x'; 1_000_000]).await;
                match status(&mut stream).await {
                    503 => refused += 1,
                    status => {
                        assert_eq!(status, taken, "{path}");
                        served += 1;
                    }
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            refused
        };
        let refused = tokio::time::timeout(Duration::from_secs(20), ask).await;
        let refused = refused.unwrap_or_else(|_| panic!("{path}: nobody else is served"));
        let what = format!(
            "180 bodies of up to 8 MB for {path} that go on by the byte; ten of 1 MB took {} ms, {refused} \
             more were refused",
            begun.elapsed().as_millis()
        );
        drop(trickling);
        site.report("trickling", &what).await;
    }
}

/// Has the admin API convert large payloads at once, and returns the status of each response.
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
    // Our SDK does not convert payloads, and its endpoint responds accordingly.
    assert!(answers.iter().all(|status| *status == 500), "{answers:?}");
    site.report("payloads", &format!("{count} payloads of 31 MB for the admin API")).await;
}

/// Begins large edits of state again and again, each of which goes on by a few bytes, for as long as
/// the returned set lives.
async fn edit_slowly(site: &Site, count: usize, begin: usize) -> JoinSet<()> {
    let mut editing = JoinSet::new();
    let begun = Arc::new(Semaphore::new(0));
    let admin = site.server.admin.trim_start_matches("http://").to_owned();
    let head = format!(
        "POST /services/Healthy/state HTTP/1.1\r\nhost: {admin}\r\n\
         content-type: application/json\r\ncontent-length: 33000000\r\n\r\n{{{}",
        " ".repeat(begin)
    );
    for _ in 0..count {
        let (admin, head, has_begun) = (admin.clone(), head.clone(), Arc::clone(&begun));
        editing.spawn(async move {
            loop {
                let Ok(mut stream) = TcpStream::connect(&admin).await else { continue };
                let mut sent = stream.write_all(head.as_bytes()).await;
                has_begun.add_permits(1);
                while sent.is_ok() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    sent = stream.write_all(&[b' '; 200]).await;
                }
            }
        });
    }
    begun.acquire_many(u32::try_from(count).unwrap()).await.unwrap().forget();
    editing
}

/// The status of a probe on a connection of its own. 0 if that was closed.
async fn probe(site: &Site) -> u16 {
    let admin = site.server.admin.trim_start_matches("http://");
    let mut stream = TcpStream::connect(admin).await.unwrap();
    let request = format!("GET /health HTTP/1.1\r\nhost: {admin}\r\n\r\n");
    match stream.write_all(request.as_bytes()).await {
        Ok(()) => status(&mut stream).await,
        Err(_) => 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_that_hardly_get_on_leave_the_admin_to_others() {
    let count = size("EDITS", 150);
    // More than the admin API has connections: with bodies that wait for memory, and with ones that
    // need none yet.
    for begin in [70_000, 60_000] {
        let site = Site::start(None).await;
        let editing = edit_slowly(&site, count, begin).await;
        let mut answered = 0;
        for _ in 0..100 {
            answered += u32::from(probe(&site).await == 200);
        }
        // Clients that connect again and again may come between a connection and its request.
        assert!(answered >= 90, "{answered} of 100 probes were answered");
        drop(editing);
        let what = format!("{count} edits of state that go on by a few bytes after {begin}");
        site.report("edits", &what).await;
    }
}

/// One client in the middle of a large body used to have all of the memory for hours.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_hardly_gets_on_keeps_no_memory_from_others() {
    let site = Site::start(None).await;
    let _editing = edit_slowly(&site, 1, 70_000).await;
    let path = format!("{}/services/Healthy/state", site.server.admin);
    let body = format!(r#"{{"object_key":"k","set":{{"a":"{}"}}}}"#, "1".repeat(200_000));
    let json = [("content-type", "application/json")];
    let edit = site.server.send(Method::PATCH, &path, &json, body);
    let answer = tokio::time::timeout(Duration::from_secs(60), edit).await;
    let answer = answer.expect("it still waits for memory").unwrap();
    // A service has no state, but that is found out only when the body has been read.
    assert!(answer.status.is_client_error() && answer.status != 408, "{}", answer.status);
}
