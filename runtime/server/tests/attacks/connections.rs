//! More clients than there are file descriptors, all of them silent.

use tokio::io::AsyncReadExt;

use crate::{site::Site, size};

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
    // Those that were silent for longest have made room.
    let mut byte = [0; 1];
    assert!(matches!(silent[0].read(&mut byte).await, Ok(0) | Err(_)));
    let what = format!("{count} silent connections with {files} descriptors");
    site.report("connections", &what).await;
}
