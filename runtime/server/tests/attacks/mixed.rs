//! Several attacks at once. Each may use up its share, and the rest has to suffice for others. They
//! run on one machine, so each is half of its usual size.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{
    bodies::{convert_large, send_large},
    crowd::Crowd,
    readers::{come_again, large_result},
    site::Site,
    size,
    streams::begin_heads,
};

#[tokio::test(flavor = "multi_thread")]
async fn all_that_takes_memory_at_once() {
    let site = Site::start(None).await;
    let [bodies, payloads, readers, heads, running] =
        [("BODIES", 10), ("PAYLOADS", 8), ("READERS", 12), ("HEADS", 4), ("RUNNING", 600)]
            .map(|(name, default)| size(name, default) / 2);
    let crowd = Crowd::gather(&site.server, running).await;
    let request = Arc::new(large_result(&site).await);
    let asked = Arc::new(AtomicUsize::new(0));
    let returning: Vec<_> =
        (0..readers).map(|_| come_again(&site, &request, &asked)).map(tokio::spawn).collect();
    let open = begin_heads(&site, heads, 200).await;
    tokio::join!(crowd.speak(), send_large(&site, bodies), convert_large(&site, payloads));
    drop(open);
    returning.iter().for_each(tokio::task::JoinHandle::abort);
    let what = format!(
        "{running} invocations that speak, {bodies} bodies and {payloads} payloads of 31 MB, {heads} \
         connections of heads, {readers} readers that asked {} times",
        asked.load(Ordering::Relaxed)
    );
    site.report("mixed", &what).await;
}
