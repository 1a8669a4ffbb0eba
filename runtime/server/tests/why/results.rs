//! Results that handlers wait for.

use protocol::{InvocationId, PartitionKey};
use serde_json::{Value, json};

use crate::rig::{Node, key_in};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_handler_waits_for_is_named_with_what_brings_it() {
    let node = Node::start().await;

    let awakeable = node.begin("/Desk/awakeable", Value::Null).await;
    let why = node.until(&awakeable, &["awakeable"]).await;
    why.is_one("awakeable", "waiting", "waits for the awakeable sign_1");
    assert_eq!(why.links()[0]["need"], "required");
    assert!(why.links()[0]["since"].is_string() && why.0["asked_at"].is_string(), "{:#}", why.0);
    let resolve = why.commands(0)[0];
    assert!(resolve.starts_with(&format!("curl '{}/restate/awakeables/", node.server.ingress)));
    node.resolve(resolve, 7).await;
    let ended = node.until(&awakeable, &["completed"]).await;
    ended.is_one("completed", "moving", "has ended, with a result");

    let sleeper = node.begin("/Desk/sleep", Value::Null).await;
    let why = node.until(&sleeper, &["timer"]).await;
    why.is_one("timer", "waiting", "waits for the end of its sleep");
    assert!(why.links()[0]["until"].is_string(), "{:#}", why.0);

    let signalled = node.begin("/Desk/signal", Value::Null).await;
    let why = node.until(&signalled, &["signal"]).await;
    why.is_one("signal", "waiting", "waits for the signal 'go'");

    let scheduled = node.server.call("/Desk/sleep/send?delay=1h", Value::Null).await.unwrap();
    let scheduled = scheduled["invocationId"].as_str().unwrap();
    let why = node.until(scheduled, &["scheduled"]).await;
    why.is_one("scheduled", "waiting", "is scheduled to start later");
    assert_eq!(why.commands(0), [format!("abide invocations cancel {scheduled}")]);
    node.follow(why.commands(0)[0]);
    let cancelled = node.until(scheduled, &["completed"]).await;
    cancelled.is_one("completed", "moving", "has ended, with a failure: [409]");

    let none = InvocationId { partition_key: PartitionKey(7), uuid: 9 };
    assert_eq!(node.get(&format!("/invocations/{none}/why")).await.status, 404);
    assert_eq!(node.get("/invocations/inv_none/why").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promise_is_named_with_the_handlers_that_may_complete_it() {
    let node = Node::start().await;
    let run = node.begin("/Approval/o%201/run", Value::Null).await;
    let why = node.until(&run, &["promise"]).await;
    why.is_one("promise", "waiting", "waits for the promise 'approved' of Approval/o 1");
    let approve = format!("curl '{}/Approval/o%201/approve' --json 'VALUE'", node.server.ingress);
    assert_eq!(why.commands(0)[0], approve);

    // Whoever attaches to the workflow waits for the same.
    let attached = node.begin("/Desk/approval", json!("o 1")).await;
    let why = node.until(&attached, &["attach", "promise"]).await;
    assert_eq!((why.subject(0), why.subject(1)), (attached.as_str(), run.as_str()));
    assert_eq!(why.causes(), ["promise"]);
    node.server.call("/Approval/o%201/approve", Value::Null).await.unwrap();
    node.until(&attached, &["completed"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attach_leads_to_the_invocation_and_so_does_a_call() {
    let node = Node::start().await;
    let waiting = node.begin("/Desk/signal", Value::Null).await;
    let attached = node.begin("/Desk/attach", json!(waiting)).await;
    let why = node.until(&attached, &["attach", "signal"]).await;
    assert_eq!(why.subject(1), waiting);
    assert_eq!(why.links()[1]["parent"], 1);
    assert_eq!(why.links()[0]["waits_for"], json!(waiting));
    assert_eq!(why.verdict(), "waiting");

    let order = node.begin("/Desk/order", json!("c-1")).await;
    let why = node.until(&order, &["call", "awakeable"]).await;
    assert!(why.detail(0).contains("its call of Cart/c-1/hold"), "{:#}", why.0);
    assert_eq!(why.links()[1]["subject"]["target"], "Cart/c-1/hold");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_leads_to_the_holder_across_partitions_and_what_helps_it_helps_all() {
    let node = Node::start().await;
    let (here, there) = (key_in(0, "cart"), key_in(1, "cart"));
    let holder = node.begin(&format!("/Cart/{there}/hold"), Value::Null).await;
    node.until(&holder, &["awakeable"]).await;
    let second = node.begin(&format!("/Cart/{there}/hold"), Value::Null).await;
    let why = node.until(&second, &["lock", "awakeable"]).await;
    assert!(why.detail(0).ends_with("as the next in line"), "{:#}", why.0);

    let caller = node.begin(&format!("/Cart/{here}/visit"), json!([there])).await;
    let why = node.until(&caller, &["call", "lock", "awakeable"]).await;
    assert!(
        why.detail(1).ends_with(&format!("the lock of Cart/{there}, behind one other in line"))
    );
    assert_eq!((why.subject(2), why.causes()), (holder.as_str(), vec!["awakeable"]));
    let positions: Vec<_> = why.links().iter().map(|link| &link["position"]).collect();
    assert_eq!(positions, [1, 2, 3]);

    node.resolve(why.commands(2)[0], 1).await;
    let why = node.until(&caller, &["call", "lock", "awakeable"]).await;
    assert_eq!(why.subject(2), second, "the next one holds it now");
    node.resolve(why.commands(2)[0], 2).await;
    node.until(&caller, &["completed"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_things_some_are_shown_and_the_rest_is_counted() {
    let node = Node::start().await;
    let either = node.begin("/Desk/either", Value::Null).await;
    let why = node.until(&either, &["timer", "awakeable"]).await;
    let needs: Vec<_> = why.links().iter().map(|link| link["need"].as_str().unwrap()).collect();
    assert_eq!((needs, why.verdict()), (vec!["alternative", "alternative"], "waiting"));

    let many = node.begin("/Desk/many", json!(1000)).await;
    let mut kinds = ["awakeable"; 9];
    kinds[8] = "more";
    let why = node.until(&many, &kinds).await;
    assert_eq!(why.detail(8), "has asked for more of the kind: 992 Signal");
    assert_eq!(why.links()[0]["need"], "required", "all of them have to come");
    assert_eq!((why.verdict(), why.causes().len()), ("waiting", 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paused_says_by_whom_and_goes_on_as_advised() {
    let node = Node::start().await;
    let id = node.begin("/Desk/awakeable", Value::Null).await;
    node.until(&id, &["awakeable"]).await;
    node.operate(&id, "pause?reason=a%20look%20first").await;
    let why = node.until(&id, &["paused"]).await;
    why.is_one("paused", "stuck", "is paused by the operator local, who says: a look first");
    node.follow(why.commands(0)[0]);
    node.until(&id, &["awakeable"]).await;

    let tired = node.begin("/Desk/give_up", Value::Null).await;
    let why = node.until(&tired, &["paused_by_failure"]).await;
    why.is_one(
        "paused_by_failure",
        "stuck",
        "its policy allows 2: [500] no connection to the bank",
    );
    assert_eq!(why.commands(0)[0], format!("abide invocations resume {tired}"));
}
