//! The real binary with services on the official Rust SDK and on our own, through the whole interop
//! suite: with open streams at both protocol versions, over HTTP/1.1, and suspending at every wait
//! on four partitions. `cargo xtask ci` covers the services in other languages.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use e2e_suite::{
    bed::{Runtime, Setting, TestBed},
    behaviours::{Env, all},
    runner,
    sdk::Sdk,
};

async fn ask(sdk: Sdk, protocol: u16, always_suspend: bool, partitions: u16, http_11: bool) {
    let dir = tempfile::tempdir().unwrap();
    let setting = Setting {
        runtime: Runtime::Abide,
        sdk,
        protocol,
        always_suspend,
        partitions,
        http_11,
        dir: dir.path().to_owned(),
    };
    let env = Arc::new(Env::new(TestBed::open(setting).await.unwrap()));
    let outcomes = runner::run(env, all(), |_| ()).await;
    let faults: Vec<String> = outcomes
        .iter()
        .filter_map(|outcome| Some(format!("{}: {}", outcome.name, outcome.fault.as_ref()?)))
        .collect();
    assert!(outcomes.len() >= 40);
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), outcomes.len(), faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_open_streams_at_protocol_6() {
    ask(Sdk::Rust, 6, false, 1, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn suspending_at_every_wait_on_four_partitions_at_protocol_7() {
    ask(Sdk::Rust, 7, true, 4, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_sdk_with_open_streams_at_protocol_7() {
    ask(Sdk::Abide, 7, false, 2, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_sdk_suspending_at_every_wait_at_protocol_6() {
    ask(Sdk::Abide, 6, true, 4, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_sdk_over_http_1_at_protocol_7() {
    ask(Sdk::Abide, 7, false, 2, true).await;
}
