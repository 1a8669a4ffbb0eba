//! Counts that are kept agree with counting.

use serde_json::json;

use crate::{psql::Rig, support::start_again};

/// Each query, and the same with a count of ids, which reads every invocation.
const COUNTS: [&str; 6] = [
    "select status, count(*) from sys_invocation group by 1 order by 1",
    "select target_service_name, count(*) from sys_invocation group by 1 order by 1",
    "select target_service_name, status, count(*) from sys_invocation group by 1, 2 order by 1, 2",
    "select count(*) from sys_invocation",
    "select count(*) from sys_invocation where status = 'completed'",
    "select status, count(*) from sys_invocation where target_service_name = 'order-status' group by 1 order by 1",
];

fn compare(rig: &Rig) {
    for kept in COUNTS {
        let counted = kept.replace("count(*)", "count(id)");
        assert_eq!(rig.rows(kept), rig.rows(&counted), "{kept}");
    }
}

#[tokio::test]
async fn counts_agree_with_counting_also_after_a_crash() {
    let mut rig = Rig::start(&[]).await;
    compare(&rig);
    for n in 0..20 {
        let path = format!("/order-status/o-{}/set", n % 3);
        rig.server.call(&path, json!("NEW")).await.unwrap();
        let order = format!("/order-workflow/w-{n}/run");
        rig.server.send_to(&order, json!(null)).await.unwrap();
    }
    // Each order has started and told its status.
    let settled = "select count(*) from sys_invocation where status = 'completed'";
    rig.server
        .eventually(|| async {
            let completed = rig.value(settled);
            anyhow::ensure!(completed == "40", "{completed} have ended");
            Ok(())
        })
        .await
        .unwrap();
    compare(&rig);
    assert_eq!(rig.value("select count(*) from sys_invocation"), "60");
    assert_eq!(rig.rows("select status from sys_invocation limit 3").len(), 3);
    rig.process.kill().unwrap();
    rig.process = start_again(&rig.abide, &rig.settings).await;
    assert_eq!(rig.value(settled), "40");
    assert_eq!(rig.value("select count(*) from sys_invocation"), "60");
}
