//! Attempts, failed and under way, and what services take up.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use abide_sdk::prelude::*;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{psql::Rig, support::serve_endpoint};

/// Fails twice, then hangs.
struct Flaky {
    calls: AtomicUsize,
    hangs: Arc<Semaphore>,
}

#[service]
impl Flaky {
    #[handler(retry(initial = "1ms", factor = 1.0))]
    pub async fn call(&self, _ctx: &Context) -> Result<()> {
        if self.calls.fetch_add(1, Ordering::Relaxed) < 2 {
            return Err(std::io::Error::other("the bank is closed").into());
        }
        self.hangs.add_permits(1);
        std::future::pending().await
    }
}

#[tokio::test]
async fn attempts_that_failed_and_the_one_under_way_are_shown() {
    let rig = Rig::start(&[]).await;
    let hangs = Arc::new(Semaphore::new(0));
    let flaky = Flaky { calls: AtomicUsize::new(0), hangs: Arc::clone(&hangs) };
    serve_endpoint(&rig.server, Endpoint::new().bind(flaky)).await;
    let id = rig.server.send_to("/Flaky/call", json!(null)).await.unwrap();
    let _ = hangs.acquire().await.unwrap();
    let attempts = rig.rows(&format!(
        "select outcome, failure like '%the bank is closed%', deployment_id like 'dp_%', \
         ended_at >= started_at, duration_ms >= 0 from sys_attempt where id = '{id}' \
         order by started_at"
    ));
    let failed = ["failed", "t", "t", "t", "t"];
    assert_eq!(attempts, [failed.to_vec(), failed.to_vec(), vec!["running", "", "t", "", ""]]);
    let all = "select count(*), count(*) filter (where outcome = 'failed') from sys_attempt";
    assert_eq!(rig.rows(all), [["3", "2"]]);

    let events = rig.rows(&format!(
        "select event_type, after_journal_entry_index, event_json from sys_journal_events \
         where id = '{id}'"
    ));
    assert_eq!(events.len(), 2);
    assert_eq!(events[0][..2], ["TransientError", "0"]);
    let event: Value = serde_json::from_str(&events[0][2]).unwrap();
    assert_eq!(event["ty"], json!("TransientError"));
    assert!(event["error_message"].as_str().unwrap().contains("the bank is closed"), "{event}");
}

#[tokio::test]
async fn usage_counts_invocations_and_state_of_each_key() {
    let rig = Rig::start(&[]).await;
    for status in ["NEW", "DELIVERED"] {
        rig.server.call("/order-status/o-1/set", json!(status)).await.unwrap();
    }
    let usage = rig.rows(
        "select invocations, state_entries, state_bytes, journal_bytes > 0, \
         total_bytes = journal_bytes + result_bytes + state_bytes \
         from sys_usage where service_name = 'order-status' and service_key = 'o-1'",
    );
    // The key is "status", and the value is the JSON string "DELIVERED".
    assert_eq!(usage, [["2", "1", "17", "t", "t"]]);
}
