//! Attempts that run, cannot start, or have failed.

use abide_sdk::prelude::*;
use anyhow::ensure;
use serde_json::{Value, json};

use crate::{
    rig::Node,
    services::{Away, Desk},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_is_not_stuck_and_says_which_step_it_is_at() {
    let node = Node::start().await;
    let hanging = node.begin("/Desk/hang", Value::Null).await;
    let why = node.until(&hanging, &["running"]).await;
    why.is_one("running", "moving", &format!("runs attempt 1 on {}", node.deployment));

    let step = node.begin("/Desk/step", Value::Null).await;
    let why = node.until(&step, &["running", "step"]).await;
    assert!(why.detail(1).contains("carries out its step 'charge'"), "{:#}", why.0);
    assert_eq!((why.verdict(), why.causes()), ("moving", vec!["running", "step"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_fails_is_named_with_its_error_and_the_next_attempt() {
    let node = Node::start().await;
    let failing = node.begin("/Desk/fail", Value::Null).await;
    let why = node.until(&failing, &["retry"]).await;
    why.is_one("retry", "stuck", "once: [500] no connection to the warehouse");
    assert!(why.links()[0]["until"].is_string(), "{:#}", why.0);
    let resume = format!("abide invocations resume {failing}");
    assert_eq!(why.commands(0)[0], resume);
    node.follow(&resume);
    node.server
        .eventually(|| async {
            let why = node.why(&failing).await;
            ensure!(why.detail(0).contains("2 times in a row"), "{:#}", why.0);
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_does_not_answer_is_named_with_its_address() {
    let node = Node::start().await;
    let away = node.serve(Endpoint::new().bind(Away)).await;
    let deployment = away.deployment.clone();
    away.end().await;
    let id = node.begin("/Away/greet", Value::Null).await;
    let why = node.until(&id, &["unreachable"]).await;
    why.is_one(
        "unreachable",
        "stuck",
        &format!("could not be sent to {deployment} at http://127.0.0.1:"),
    );
    assert!(why.commands(0)[0].starts_with("curl -v --http2-prior-knowledge 'http://127.0.0.1:"));
    assert!(why.links()[0]["until"].is_string(), "{:#}", why.0);
    let moved = format!("abide deployments update {deployment} --uri URL");
    assert!(why.commands(0).contains(&moved.as_str()), "{:#}", why.0);

    // Whoever waits for it learns the same.
    let attached = node.begin("/Desk/attach", json!(id)).await;
    let why = node.until(&attached, &["attach", "unreachable"]).await;
    assert_eq!((why.verdict(), why.causes()), ("stuck", vec!["unreachable"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_is_gone_is_named_before_and_after_it_is_needed() {
    let node = Node::start().await;
    let pinned = node.begin("/Desk/begun", Value::Null).await;
    let why = node.until(&pinned, &["awakeable"]).await;
    let resolve = why.commands(0)[0].to_owned();
    let scheduled = node.server.call("/Desk/sleep/send?delay=1h", Value::Null).await.unwrap();
    let scheduled = scheduled["invocationId"].as_str().unwrap();
    node.until(scheduled, &["scheduled"]).await;
    node.remove(&node.deployment).await;

    let gone = format!("is pinned to {}, which is no longer registered", node.deployment);
    let why = node.until(&pinned, &["awakeable", "deployment_gone"]).await;
    assert_eq!((why.detail(1), why.verdict()), (gone.as_str(), "stuck"));
    assert!(why.commands(1)[0].starts_with("abide deployments register"), "{:#}", why.0);
    let why = node.until(scheduled, &["scheduled", "not_offered"]).await;
    assert_eq!(why.detail(1), "has nowhere to run: no deployment offers Desk");
    assert_eq!(why.verdict(), "stuck");

    node.resolve(&resolve, 7).await;
    let why = node.until(&pinned, &["deployment_gone"]).await;
    why.is_one("deployment_gone", "stuck", &gone);
    let again = node.serve(Endpoint::new().bind(Desk)).await;
    node.until(scheduled, &["scheduled"]).await;
    let why = node.until(&pinned, &["deployment_gone"]).await;
    node.follow(why.commands(0)[0]);
    node.until(&pinned, &["completed"]).await;
    again.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_without_a_permit_says_whose_permits_are_taken() {
    let node = Node::start_under(&[("ABIDE_ATTEMPTS_MAX", "5")]).await;
    for _ in 0..3 {
        let id = node.begin("/Desk/step", Value::Null).await;
        node.until(&id, &["running", "step"]).await;
    }
    let refused = node.begin("/Desk/step", Value::Null).await;
    let why = node.until(&refused, &["no_permit"]).await;
    let says = format!(
        "cannot start attempt 1: those of Desk on {} hold 3 of 5 permits, which is as much as one \
         service of a deployment may have",
        node.deployment
    );
    why.is_one("no_permit", "stuck", &says);
    assert_eq!(why.commands(0), ["abide invocations list --status running --service 'Desk'"]);

    let deployment = format!("/deployments/{}/why", node.deployment);
    let groups = node.get(&deployment).await.ok().unwrap();
    let of = |at: usize| (&groups["groups"][at]["kind"], &groups["groups"][at]["count"]);
    assert_eq!(of(0), (&json!("no_permit"), &json!(1)), "{groups:#}");
    assert_eq!(of(1), (&json!("running"), &json!(3)), "{groups:#}");
}
