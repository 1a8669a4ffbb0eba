//! Services and deployments: how many wait for what.

use serde_json::{Value, json};

use crate::rig::Node;

fn counts(groups: &Value) -> Vec<(String, u64)> {
    let groups = groups["groups"].as_array().unwrap().iter();
    let mut counts: Vec<(String, u64)> = groups
        .map(|it| (it["kind"].as_str().unwrap().to_owned(), it["count"].as_u64().unwrap()))
        .collect();
    counts.sort();
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_grouped_by_what_its_invocations_wait_for() {
    let node = Node::start().await;
    assert_eq!(node.get("/services/None/why").await.status, 404);
    let empty = node.get("/services/Desk/why").await.ok().unwrap();
    assert_eq!((&empty["verdict"], counts(&empty)), (&json!("moving"), Vec::new()));

    let oldest = node.begin("/Desk/fail", Value::Null).await;
    node.until(&oldest, &["retry"]).await;
    for path in ["fail", "fail", "awakeable", "begun", "sleep"] {
        node.begin(&format!("/Desk/{path}"), Value::Null).await;
    }
    let order = node.begin("/Desk/order", json!("c-1")).await;
    node.until(&order, &["call", "awakeable"]).await;
    // What has ended, and other services, do not count.
    node.server.call("/Cart/c-2/visit", json!([])).await.unwrap();

    let expected: [(String, u64); 4] = [("awakeable", 2), ("call", 1), ("retry", 3), ("timer", 1)]
        .map(|(kind, n)| (kind.into(), n));
    let groups = node
        .server
        .eventually(|| async {
            let groups = node.get("/services/Desk/why").await.ok()?;
            anyhow::ensure!(counts(&groups) == expected, "{groups:#}");
            Ok(groups)
        })
        .await
        .unwrap();
    assert_eq!((&groups["verdict"], &groups["is_complete"]), (&json!("stuck"), &json!(true)));
    let first = &groups["groups"][0];
    assert_eq!(
        (&first["kind"], &first["oldest"]["subject"]["id"]),
        (&json!("retry"), &json!(oldest))
    );
    assert_eq!(first["oldest"]["links"][0]["kind"], "retry");
    let calls =
        groups["groups"].as_array().unwrap().iter().find(|it| it["kind"] == "call").unwrap();
    assert_eq!(
        calls["oldest"]["links"][1]["kind"], "awakeable",
        "the chain of the oldest is followed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_known_as_long_as_invocations_are_pinned_to_it() {
    let node = Node::start().await;
    let pinned = node.begin("/Desk/begun", Value::Null).await;
    node.until(&pinned, &["awakeable"]).await;
    let path = format!("/deployments/{}/why", node.deployment);
    let groups = node.get(&path).await.ok().unwrap();
    assert_eq!(
        (&groups["verdict"], counts(&groups)),
        (&json!("waiting"), vec![("awakeable".into(), 1)])
    );

    node.remove(&node.deployment).await;
    let groups = node.get(&path).await.ok().unwrap();
    assert_eq!(
        (&groups["verdict"], counts(&groups)),
        (&json!("stuck"), vec![("deployment_gone".into(), 1)])
    );
    node.operate(&pinned, "kill").await;
    assert_eq!(node.get(&path).await.status, 404);
    assert_eq!(node.get("/deployments/dp_none/why").await.status, 400);
}
