//! Keys of virtual objects and workflows.

use http::Method;
use serde_json::{Value, json};

use crate::rig::{Node, Why};

async fn of(node: &Node, path: &str) -> Why {
    Why(node.get(path).await.ok().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_says_who_holds_it_who_waits_and_which_edits_do() {
    let node = Node::start().await;
    // A key that has to be escaped.
    let path = "/services/Cart/keys/a%2Fb%20%25/why";
    let free = of(&node, path).await;
    free.is_one("free", "moving", "is free");
    assert_eq!(free.0["subject"]["key"], "a/b %");

    let holder = node.begin("/Cart/a%2Fb%20%25/hold", Value::Null).await;
    node.until(&holder, &["awakeable"]).await;
    for _ in 0..2 {
        let queued = node.begin("/Cart/a%2Fb%20%25/hold", Value::Null).await;
        node.until(&queued, &["lock", "awakeable"]).await;
    }
    let uri = format!("{}/services/Cart/state", node.server.admin);
    let edit = json!({ "object_key": "a/b %", "set": { "count": "1" } });
    let headers = [("content-type", "application/json")];
    let edited = node.server.send(Method::PATCH, &uri, &headers, edit.to_string()).await.unwrap();
    assert_eq!(edited.ok().unwrap()["behind"], json!(holder));

    let why = of(&node, path).await;
    assert_eq!(why.kinds(), ["held", "awakeable", "edit"], "{:#}", why.0);
    assert_eq!(why.detail(0), "is taken: its lock is held, and 2 others wait for it");
    assert_eq!(why.subject(1), holder);
    assert_eq!(why.detail(2), "has an edit of its state that waits until no invocation holds it");
    assert_eq!(why.links()[2]["same_as"], 2, "{:#}", why.0);
    let groups = why.0["invocations"]["groups"].as_array().unwrap();
    let counts: Vec<_> = groups.iter().map(|it| (&it["kind"], &it["count"])).collect();
    let expected = [(&json!("lock"), &json!(2)), (&json!("awakeable"), &json!(1))];
    assert_eq!(counts, expected, "{:#}", why.0);
    node.resolve(why.commands(1)[0], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_workflow_is_held_by_its_run() {
    let node = Node::start().await;
    let run = node.begin("/Approval/o-1/run", Value::Null).await;
    node.until(&run, &["promise"]).await;
    let why = of(&node, "/services/Approval/keys/o-1/why").await;
    assert_eq!((why.kinds(), why.subject(1)), (vec!["held", "promise"], run.as_str()));
    assert_eq!(why.detail(0), "is taken: the run of the workflow is under way");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_keys_is_refused() {
    let node = Node::start().await;
    let plain = node.get("/services/Desk/keys/a/why").await;
    plain.expect_failure(400, "'Desk' is a plain service, which has no keys").unwrap();
    assert_eq!(node.get("/services/None/keys/a/why").await.status, 404);
}
