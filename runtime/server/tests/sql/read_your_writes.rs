//! An acknowledged change is in every query that begins afterwards, and what a query has shown
//! survives a crash.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use e2e_client::Server;
use serde_json::json;

use crate::{
    psql::Rig,
    support::{set_by, start_again},
};

const CLIENTS: usize = 8;

/// How often a client changes something and asks for it. `ABIDE_TEST_TRIES` sets the total.
fn tries_each() -> usize {
    set_by("ABIDE_TEST_TRIES", 400) / CLIENTS
}

/// The value of an order, as a query over the admin API shows it.
async fn shown(server: &Server, key: &str) -> Result<Option<String>> {
    let query = format!("select value_utf8 from state where service_key = '{key}'");
    let answer = server.query(&query).await?.ok()?;
    Ok(answer["rows"][0]["value_utf8"].as_str().map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_shows_what_was_acknowledged_before_it_began() {
    let rig = Rig::start(&[("ABIDE_SQL_QUERIES_MAX", "64")]).await;
    let seen = AtomicUsize::new(0);
    let client = |number: usize| {
        let (server, seen) = (rig.server.clone(), &seen);
        async move {
            for nth in 0..tries_each() {
                let key = format!("order-{number}");
                let status = format!("{number}-{nth}");
                let path = format!("/order-status/{key}/set");
                server.call(&path, json!(status)).await.unwrap();
                let shown = shown(&server, &key).await.unwrap();
                assert_eq!(shown, Some(format!("\"{status}\"")));
                seen.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    futures::future::join_all((0..CLIENTS).map(client)).await;
    assert_eq!(seen.into_inner(), CLIENTS * tries_each());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_query_has_shown_is_lost_in_a_crash() {
    let mut rig = Rig::start(&[]).await;
    let mut highest = BTreeMap::<String, u64>::new();
    for round in 0..3u64 {
        for nth in 0..20u64 {
            let key = format!("order-{}", nth % 4);
            let status = (round * 100 + nth).to_string();
            // Not waited for, so that the crash comes in the middle of it.
            let send = format!("/order-status/{key}/set");
            rig.server.send_to(&send, json!(status)).await.unwrap();
            if let Some(shown) = shown(&rig.server, &key).await.unwrap() {
                let shown = shown.trim_matches('"').parse().unwrap();
                highest.insert(key, shown);
            }
        }
        rig.process.kill().unwrap();
        rig.process = start_again(&rig.abide, &rig.settings).await;
        for (key, highest) in &highest {
            let shown = shown(&rig.server, key).await.unwrap().unwrap();
            let shown: u64 = shown.trim_matches('"').parse().unwrap();
            assert!(shown >= *highest, "{key} was {highest} before the crash and is {shown}");
        }
    }
    assert!(!highest.is_empty());
}
