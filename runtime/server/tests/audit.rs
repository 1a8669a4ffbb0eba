//! What the audit has of changes of deployments and services, by SQL and from the command line, also
//! after a crash.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::process::Command;

use abide_sdk::prelude::*;
use anyhow::ensure;
use e2e_client::{HttpResponse, Server};
use http::Method;
use serde_json::{Value, json};

use support::{start_again, start_under_settings};

/// Waits for an answer from outside that nobody gives.
struct Desk;

#[service]
impl Desk {
    pub async fn wait(&self, ctx: &Context) -> Result<String> {
        // An invocation is pinned with its first entry.
        ctx.run("begin", || async { Ok(()) }).await?;
        let (_, answer) = ctx.awakeable::<String>();
        Ok(answer.await?)
    }
}

async fn serve() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(Endpoint::new().bind(Desk).serve_listener(listener, std::future::pending()));
    uri
}

async fn ask(server: &Server, method: Method, path: &str, body: &Value) -> HttpResponse {
    let uri = format!("{}{path}", server.admin);
    let headers = [("content-type", "application/json")];
    server.send(method, &uri, &headers, body.to_string()).await.unwrap()
}

const CHANGES: &str = "\
    select operation, operator, reason, outcome, deployment_id, target_service_name as service, \
    forced, changes_json, stranded_json from sys_audit order by at";

/// The audit, with what is JSON in it as that.
async fn audit(server: &Server) -> Vec<Value> {
    let mut rows = server.rows(CHANGES).await.unwrap();
    for row in &mut rows {
        for column in ["changes_json", "stranded_json"] {
            if let Some(text) = row[column].as_str() {
                row[column] = serde_json::from_str(text).unwrap();
            }
        }
    }
    rows
}

/// What has changed of a fact.
fn changed<'a>(row: &'a Value, key: &str) -> Option<(&'a Value, &'a Value)> {
    let changes = row["changes_json"].as_array().unwrap();
    let found = changes.iter().find(|it| it["key"] == key)?;
    Some((&found["before"], &found["after"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_kept_with_what_is_different_and_survives_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let (mut process, server, abide) = start_under_settings(dir.path(), &[]).await;
    let (old, new) = (serve().await, serve().await);
    let secret = json!({ "authorization": "s3cr3t", "x-tenant": "s3cr3t-blue" });
    let body = json!({ "uri": old, "additional_headers": secret });
    let registered = ask(&server, Method::POST, "/deployments?reason=v1", &body).await.ok();
    let id = registered.unwrap()["id"].clone();
    let deployment = format!("/deployments/{}", id.as_str().unwrap());
    // Neither a dry run nor what is there already is a change.
    let dry_run = json!({ "uri": new, "dry_run": true });
    ask(&server, Method::POST, "/deployments", &dry_run).await.ok().unwrap();
    let forced = json!({ "uri": old, "force": true, "additional_headers": secret });
    ask(&server, Method::POST, "/deployments?reason=again", &forced).await.ok().unwrap();
    let moved = json!({ "uri": new, "additional_headers": { "authorization": "s3cr3t-2" } });
    let path = format!("{deployment}?reason=it%20has%20moved");
    ask(&server, Method::PATCH, &path, &moved).await.ok().unwrap();
    let settings = json!({
        "abort_timeout": "90s", "public": true,
        "retry_policy": { "max_attempts": 3, "exponentiation_factor": 1.5 },
    });
    ask(&server, Method::PATCH, "/services/Desk?reason=slow", &settings).await.ok().unwrap();
    let too_long = format!("/services/Desk?reason={}", "x".repeat(1025));
    let refused = ask(&server, Method::PATCH, &too_long, &settings).await;
    refused.expect_failure(400, "'reason' has 1025 bytes").unwrap();
    let waiting = server.send_to("/Desk/wait", Value::Null).await.unwrap();
    let is_pinned = async || {
        let sql =
            format!("select pinned_deployment_id as id from sys_invocation where id = '{waiting}'");
        let found = server.rows(&sql).await?;
        ensure!(found == [json!({ "id": id })], "{found:?}");
        Ok(())
    };
    server.eventually(is_pinned).await.unwrap();
    let in_use = ask(&server, Method::DELETE, &deployment, &Value::Null).await;
    in_use.expect_failure(409, "in use").unwrap();
    let path = format!("{deployment}?force=true&reason=gone");
    let removed = ask(&server, Method::DELETE, &path, &Value::Null).await.ok().unwrap();
    // Whatever is acknowledged survives, its entry too.
    let before = audit(&server).await;
    process.kill().unwrap();
    drop(process);
    let _process = start_again(&abide, &[]).await;
    let kept = audit(&server).await;
    assert_eq!(kept, before);

    let said: Vec<_> = kept
        .iter()
        .map(|row| {
            assert_eq!((&row["operator"], &row["outcome"]), (&json!("local"), &json!("done")));
            assert_eq!(row["deployment_id"], id);
            (row["operation"].as_str().unwrap(), row["reason"].as_str().unwrap(), &row["forced"])
        })
        .collect();
    let [yes, no] = [json!(true), json!(false)];
    let expected = [
        ("register-deployment", "v1", &no),
        ("register-deployment", "again", &yes),
        ("update-deployment", "it has moved", &no),
        ("configure-service", "slow", &Value::Null),
        ("remove-deployment", "gone", &yes),
    ];
    assert_eq!(said, expected);
    let [first, again, moved, configured, removal] = &kept[..] else { panic!("{kept:?}") };
    let (null, masked) = (&Value::Null, &json!("***"));
    assert_eq!(changed(first, "uri"), Some((null, &json!(old))));
    assert_eq!(changed(first, "services.Desk.handlers.wait.ty"), Some((null, &json!("Service"))));
    assert_eq!(changed(first, "additional_headers.x-tenant"), Some((null, masked)));
    let revision = json!([{ "key": "services.Desk.revision", "before": 1, "after": 2 }]);
    assert_eq!(again["changes_json"], revision);
    let expected = json!([
        { "key": "additional_headers.authorization", "before": "***", "after": "***" },
        { "key": "additional_headers.x-tenant", "before": "***", "after": null },
        { "key": "uri", "before": old, "after": new },
    ]);
    assert_eq!(moved["changes_json"], expected);
    let of_desk = |key: &str, after: Value| json!({ "key": format!("services.Desk.{key}"), "before": null, "after": after });
    let expected = json!([
        of_desk("abort_timeout", json!("1m 30s")),
        of_desk("public", json!(true)),
        of_desk("retry_policy.exponentiation_factor", json!(1.5)),
        of_desk("retry_policy.max_attempts", json!(3)),
    ]);
    assert_eq!((&configured["changes_json"], &configured["service"]), (&expected, &json!("Desk")));
    assert_eq!(changed(removal, "uri"), Some((&json!(new), null)));
    assert_eq!(removal["stranded_json"], json!({ "Desk": { "running": 1 } }));
    assert_eq!(removal["stranded_json"], removed["stranded_invocations"]);
    assert!(!json!(kept).to_string().contains("s3cr3t"), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_why_and_shows_it() {
    let dir = tempfile::tempdir().unwrap();
    let (_process, server, abide) = start_under_settings(dir.path(), &[]).await;
    let uri = serve().await;
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_abide"));
        command.args(arguments).env("ABIDE_ADMIN_URL", format!("http://{}", abide.admin));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let json = |arguments: &[&str]| serde_json::from_str::<Value>(&run(arguments)).unwrap();
    let registered = json(&["deployments", "register", &uri, "--reason", "the first"]);
    assert_eq!(registered["services"][0]["handlers"][0]["name"], "wait", "all of it");
    let id = registered["id"].as_str().unwrap();
    let summary =
        run(&["deployments", "register", &uri, "--force", "--yes", "--table", "--reason", "x"]);
    let table = concat!(
        "Services\n",
        " service | kind    | handlers | revision\n",
        "---------+---------+----------+----------\n",
        " Desk    | Service | 1        | 2\n",
    );
    assert!(summary.contains(table), "{summary}");
    run(&["deployments", "update", id, "--no-headers", "--reason", "none"]);
    run(&["services", "config", "set", "Desk", "--public", "false", "--reason", "hidden"]);
    run(&["deployments", "remove", id, "--yes", "--reason", "the last"]);
    let kept = json(&["audit", "--deployment", id]);
    let reasons: Vec<_> = kept.as_array().unwrap().iter().map(|row| &row["reason"]).collect();
    assert_eq!(reasons, ["the last", "hidden", "none", "x", "the first"]);
    let of_service = json(&["audit", "--service", "Desk"]);
    assert_eq!(of_service.as_array().unwrap().len(), 1);
    assert_eq!(of_service[0]["operation"], "configure-service");
    assert_eq!(audit(&server).await.len(), 5);
}
