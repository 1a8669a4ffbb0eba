//! One service, endpoint or key must not take what others need.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use abide_sdk::prelude::*;
use interop_suite::client::Server;
use serde_json::json;
use tokio::sync::Semaphore;

use support::{Abide, Hog, serve_endpoint, start_with};

/// Shorter than the minute after which a service that waits is suspended anyway.
const SOON: Duration = Duration::from_secs(45);

struct Healthy;

#[service]
impl Healthy {
    pub async fn greet(&self, _ctx: &Context, name: String) -> Result<String> {
        Ok(format!("hello {name}"))
    }

    /// Waits for another handler, and holds its place meanwhile.
    pub async fn outer(&self, ctx: &Context, name: String) -> Result<String> {
        Ok(Healthy::call().greet(ctx, name).await?)
    }
}

async fn with_places(dir: &std::path::Path, places: usize) -> (Abide, Server) {
    let config = dir.join("abide.toml");
    fs::write(&config, format!("attempts-max = {places}\n")).unwrap();
    start_with(dir, &[&format!("--config={}", config.display())]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_make_room_for_their_callees() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = with_places(dir.path(), 10).await;
    serve_endpoint(&server, Endpoint::new().bind(Healthy)).await;
    let calls = (0..40).map(|number| {
        let server = server.clone();
        async move { server.call("/Healthy/outer", json!(number.to_string())).await.unwrap() }
    });
    let answers = tokio::time::timeout(SOON, futures::future::join_all(calls)).await;
    let answers = answers.expect("they wait for each other");
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(*answer, json!(format!("hello {number}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_hangs_leaves_places_for_others() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = with_places(dir.path(), 20).await;
    let entered = Arc::new(Semaphore::new(0));
    serve_endpoint(&server, Endpoint::new().bind(Hog { entered: Arc::clone(&entered) })).await;
    serve_endpoint(&server, Endpoint::new().bind(Healthy)).await;
    for _ in 0..100 {
        server.send_to("/Hog/hang", json!(null)).await.unwrap();
    }
    // As many of them hang as get a place.
    let _all = entered.acquire_many(16).await.unwrap();
    let greeted = tokio::time::timeout(SOON, server.call("/Healthy/greet", json!("you"))).await;
    assert_eq!(greeted.expect("there is no place for it").unwrap(), json!("hello you"));
    let called = tokio::time::timeout(SOON, server.call("/Healthy/outer", json!("all"))).await;
    assert_eq!(called.expect("there is no place for it").unwrap(), json!("hello all"));
}
