//! Sends each request of the public surface to the real binary, and compares the response with that
//! of the real server, as recorded in `interop/surface` by `cargo xtask surface --record`.

use e2e_suite::{
    bed::{Runtime, Setting, TestBed},
    sdk::Sdk,
    surface::{case, play},
};

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_request_is_answered_as_it_should_be() {
    let dir = tempfile::tempdir().unwrap();
    let setting = Setting {
        runtime: Runtime::Abide,
        sdk: Sdk::Rust,
        protocol: 6,
        always_suspend: false,
        partitions: 2,
        http_11: false,
        dir: dir.path().to_owned(),
    };
    let bed = TestBed::open_unregistered(setting).await.unwrap();
    let files = case::read_all().unwrap();
    let seen = play::play(&bed, &files).await.unwrap();
    assert!(seen.len() >= 105, "{} requests", seen.len());
    let faults = play::compare(&files, &seen);
    assert!(faults.is_empty(), "{} answers are wrong:\n{}", faults.len(), faults.join("\n"));
}
