//! Invocations that wait for each other.

use serde_json::json;

use crate::rig::{Node, key_in};

#[tokio::test(flavor = "multi_thread")]
async fn two_objects_that_call_each_other_are_a_deadlock_which_the_advice_breaks() {
    let node = Node::start().await;
    let (a, b) = (key_in(0, "a"), key_in(1, "b"));
    let first = node.begin(&format!("/Cart/{a}/visit"), json!([b, a])).await;
    let why = node.until(&first, &["call", "call", "lock"]).await;
    assert_eq!((why.causes(), why.verdict()), (vec!["deadlock"], "stuck"));
    let message = why.links()[2]["cause"]["message"].as_str().unwrap();
    let (second, third) = (why.subject(1), why.subject(2));
    let round = format!(
        "Cart/{a}/visit ({first}) waits for Cart/{b}/visit ({second}) waits for Cart/{a}/visit ({third}) \
         waits for Cart/{a}/visit ({first}): none of them can go on"
    );
    assert_eq!(message, round);
    assert_eq!(why.links()[2]["same_as"], 1);

    // From another member, and from one that only waits for the cycle.
    let from_second = node.until(second, &["call", "lock", "call"]).await;
    assert_eq!(from_second.causes(), ["deadlock"]);
    let outside = node.begin(&format!("/Cart/{b}/visit"), json!([])).await;
    let from_outside = node.until(&outside, &["lock", "call", "lock", "call"]).await;
    assert_eq!((from_outside.causes(), from_outside.verdict()), (vec!["deadlock"], "stuck"));

    let commands = why.commands(2);
    assert_eq!(commands, [format!("abide invocations cancel {third}")], "it has not begun");
    node.follow(commands[0]);
    node.until(&first, &["completed"]).await;
    node.until(&outside, &["completed"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_calls_itself_is_said_to() {
    let node = Node::start().await;
    let id = node.begin("/Cart/a/visit", json!(["a"])).await;
    let why = node.until(&id, &["call", "lock"]).await;
    assert_eq!((why.causes(), why.verdict()), (vec!["self_deadlock"], "stuck"));
    let message = why.links()[1]["cause"]["message"].as_str().unwrap();
    assert!(message.ends_with("needs the lock that its caller holds: the call can never begin"));
    node.follow(why.commands(1)[0]);
    node.until(&id, &["completed"]).await;
}

/// While an attempt is connected, nobody knows whether its handler waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_of_handlers_that_run_is_only_possible() {
    let node = Node::start().await;
    let id = node.begin("/Patient/a/visit", json!(["b", "a"])).await;
    let why = node.until(&id, &["running", "call", "running", "call", "lock"]).await;
    let needs: Vec<_> = why.links().iter().map(|link| link["need"].as_str().unwrap()).collect();
    assert_eq!(needs, ["required", "possible", "required", "possible", "required"]);
    assert_eq!(why.causes(), ["running", "running", "cycle"]);
    assert_eq!(why.verdict(), "moving");
    assert!(why.detail(1).contains("has asked for, and may wait for, the result of its call of"));
}
