//! Attacks on file descriptors: more silent clients than there are descriptors, and an endpoint
//! that would use as many.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::{io::AsyncReadExt, net::TcpStream, sync::Semaphore, time::timeout};

use crate::{messages::EVIL, site::Site, size};

/// The size of log segments, in bytes. Requests that write to the log soon need a new segment, and
/// with it a descriptor.
const SEGMENT_BYTES: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn silent_clients_take_no_descriptors_that_others_need() {
    let files = size("FILES", 400);
    let site = Site::start(Some(files as u64)).await;
    let count = size("SILENT", 500);
    let mut silent = Vec::new();
    for number in 0..count {
        silent.push(site.connect().await);
        if number % 50 == 0 {
            site.until_innocent_is_served().await;
        }
    }
    site.until_innocent_is_served().await;
    // Those that were silent longest have been evicted.
    let mut byte = [0; 1];
    assert!(matches!(silent[0].read(&mut byte).await, Ok(0) | Err(_)));
    let what = format!("{count} silent connections with {files} descriptors");
    site.report("connections", &what).await;
}

/// Each attempt has a connection of its own, and there are as many attempts as allowed.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_in_http1_takes_no_descriptors_that_others_need() {
    let files = size("FILES", 400);
    let segments = format!("log-segment-bytes = {SEGMENT_BYTES}\n");
    let site = Site::start_as(Some(files as u64), &segments).await;
    let count = size("HANGING", 300).max(files);
    let asked = Arc::new(Semaphore::new(0));
    let hanging = Arc::clone(&asked);
    let hang = move |stream| {
        hanging.add_permits(1);
        async move {
            let _open: TcpStream = stream;
            std::future::pending().await
        }
    };
    EVIL.serve(&site.server, hang).await;
    for number in 0..count {
        site.server.send_to("/Evil/call", Value::Null).await.unwrap();
        if number % 500 == 0 {
            site.until_innocent_is_served().await;
        }
    }
    // The hanging service gets its share, and leaves descriptors for the others.
    let _hanging = asked.acquire_many(u32::try_from(files / 6).unwrap()).await.unwrap();
    let value = "x".repeat(SEGMENT_BYTES / 2);
    for _ in 0..8 {
        let taking = site.server.call("/Healthy/take", json!(value));
        timeout(Duration::from_secs(60), taking).await.unwrap().unwrap();
    }
    let taken = asked.available_permits() + files / 6;
    assert!(taken < files / 2, "{taken} of {files}");
    let what =
        format!("{count} calls of a service in HTTP/1.1 that hangs, with {files} descriptors");
    site.report("sockets", &what).await;
}
