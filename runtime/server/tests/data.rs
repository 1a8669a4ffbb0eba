//! The data directory of the real binary: its guarantees, and what it refuses.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use abide_sdk::prelude::*;
use anyhow::ensure;
use e2e_client::Server;
use protocol::{InvocationId, ids::Derivation};
use serde_json::{Value, json};
use tokio::process::Command;

use support::{serve_endpoint, start, start_with};

struct Order;

#[workflow]
impl Order {
    pub async fn run(&self, _ctx: &WorkflowContext, what: String) -> Result<String> {
        Ok(format!("{what} is ordered"))
    }
}

struct Desk;

#[service]
impl Desk {
    /// Starts a workflow by name, and attaches to it by name.
    pub async fn order(&self, ctx: &Context, key: String) -> Result<String> {
        Order::key(key.clone()).send().run(ctx, "tea".to_owned());
        Ok(Order::key(key).attach(ctx).await?)
    }
}

async fn register(server: &Server) {
    serve_endpoint(server, Endpoint::new().bind(Order).bind(Desk)).await;
}

async fn lookup(server: &Server, target: Value) -> InvocationId {
    let found = server.call("/restate/lookup", target).await.unwrap();
    found["invocationId"].as_str().unwrap().parse().unwrap()
}

fn workflow(key: &str) -> Value {
    json!({ "target": "workflow", "workflowName": "Order", "workflowKey": key })
}

fn idempotent() -> Value {
    let (service, handler) = ("Desk", "order");
    json!({
        "target": "idempotentInvocation", "service": service, "handler": handler,
        "idempotencyKey": "k",
    })
}

/// Clients, handlers and the server derive the same ids, always, and without the secret they can't
/// be guessed.
#[tokio::test(flavor = "multi_thread")]
async fn ids_of_names_follow_from_the_directorys_secret() {
    let dir = tempfile::tempdir().unwrap();
    let plain = [
        Derivation::Plain.workflow(None, "Order", "a"),
        Derivation::Plain.idempotency_key(None, "Desk", "", "order", "k"),
    ];
    let ids = async |server: &Server| {
        [lookup(server, workflow("a")).await, lookup(server, idempotent()).await]
    };
    let (abide, server) = start(dir.path()).await;
    register(&server).await;
    let header = [("idempotency-key", "k")];
    let answer = server.post_with("/Desk/order", &json!("a"), &header).await.unwrap();
    assert_eq!(answer.ok().unwrap(), json!("tea is ordered"));
    let derived = ids(&server).await;
    assert_eq!(answer.invocation().unwrap(), derived[1].to_string());
    let attached = server.get("/restate/workflow/Order/a/attach").await.unwrap();
    assert_eq!(attached.ok().unwrap(), json!("tea is ordered"));
    assert_eq!(attached.invocation().unwrap(), derived[0].to_string());
    for (derived, plain) in derived.iter().zip(plain) {
        assert_eq!(derived.partition_key, plain.partition_key);
        assert_ne!(derived.uuid, plain.uuid, "anybody can reckon it");
    }
    drop(abide);
    let (abide, server) = start(dir.path()).await;
    assert_eq!(ids(&server).await, derived);
    let output = server.get("/restate/workflow/Order/a/output").await.unwrap();
    assert_eq!(output.ok().unwrap(), json!("tea is ordered"));
    drop(abide);

    let older = tempfile::tempdir().unwrap();
    // As its first start left it, before it had any data.
    std::fs::write(older.path().join("LAYOUT.new"), "abide-data 1\npartitions 2\n").unwrap();
    let (_abide, server) = start(older.path()).await;
    assert_eq!(ids(&server).await, plain);
}

/// Fills a directory until the beginning of its log has been trimmed.
async fn used(dir: &Path) {
    let config = dir.join("abide.toml");
    fs::write(&config, "log-segment-bytes = 4096\ncheckpoint-interval-ms = 10\n").unwrap();
    let (_abide, server) = start_with(dir, &[&format!("--config={}", config.display())]).await;
    register(&server).await;
    let first = dir.join("log/0000000000000001.seg");
    let mut key = 0;
    let trimmed = server.eventually(|| {
        key += 1;
        let (server, is_there) = (&server, first.exists());
        async move {
            server.call("/Desk/order", json!(format!("k{key}"))).await?;
            ensure!(!is_there, "the first segment is still there");
            Ok(())
        }
    });
    trimmed.await.unwrap();
}

/// The error output of a start that fails.
async fn complaint(dir: &Path) -> String {
    let abide = Command::new(env!("CARGO_BIN_EXE_abide"))
        .args(["serve", "--ingress-address=127.0.0.1:0", "--admin-address=127.0.0.1:0"])
        .args(["--sql-address=127.0.0.1:0"])
        .arg("--data-dir")
        .arg(dir)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(30), abide).await.unwrap().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_log_and_layout_agree_or_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let (path, moved) = (dir.path(), dir.path().join("moved"));
    used(path).await;
    let refused = async |what: &str, says: &[&str]| {
        let complaint = complaint(path).await;
        for part in says.iter().chain([&what]) {
            assert!(complaint.contains(part), "{what}: {complaint}");
        }
        assert!(!complaint.contains("panicked"), "{complaint}");
    };
    let tables = ["partition-0.redb", "partition-1.redb"];
    let segments = || fs::read_dir(path.join("log")).map_or(0, Iterator::count);
    for what in [tables[0], "log", "LAYOUT", "SECRET"] {
        fs::rename(path.join(what), &moved).unwrap();
        let before = segments();
        refused(what, &["restore"]).await;
        assert_eq!(segments(), before, "without {what} the log is left as it is");
        assert!(!path.join(what).exists(), "{what} is not made anew");
        fs::rename(&moved, path.join(what)).unwrap();
    }

    fs::rename(path.join("log"), &moved).unwrap();
    fs::create_dir(path.join("log")).unwrap();
    refused("log is missing or empty", &["used before", "restore the whole data directory"]).await;
    assert_eq!(fs::read_dir(path.join("log")).unwrap().count(), 0, "a copy of it still fits");
    // As if the disk that holds everything were not mounted.
    for what in tables {
        fs::rename(path.join(what), path.join(format!("{what}.moved"))).unwrap();
    }
    refused("log is missing or empty", &["used before", "restore the whole data directory"]).await;
    for what in tables {
        assert!(!path.join(what).exists(), "{what} is not made anew");
        fs::rename(path.join(format!("{what}.moved")), path.join(what)).unwrap();
    }
    fs::remove_dir_all(path.join("log")).unwrap();
    fs::rename(&moved, path.join("log")).unwrap();

    fs::rename(path.join(tables[0]), &moved).unwrap();
    fs::copy(path.join(tables[1]), path.join(tables[0])).unwrap();
    refused(tables[0], &["it is partition 1 of 2, expected 0 of 2"]).await;
    let other = tempfile::tempdir().unwrap();
    used(other.path()).await;
    fs::copy(other.path().join(tables[0]), path.join(tables[0])).unwrap();
    refused(tables[0], &["another data directory"]).await;
    fs::rename(&moved, path.join(tables[0])).unwrap();

    // By their numbers alone, its records would fit.
    fs::rename(path.join("log"), &moved).unwrap();
    fs::rename(other.path().join("log"), path.join("log")).unwrap();
    refused(".seg", &["the log of another data directory", "restore the log that belongs"]).await;
    fs::remove_dir_all(path.join("log")).unwrap();
    fs::rename(&moved, path.join("log")).unwrap();

    let layout = fs::read_to_string(path.join("LAYOUT")).unwrap();
    fs::write(path.join("LAYOUT"), layout.replace("partitions 2", "partitions 0")).unwrap();
    refused("LAYOUT", &["0 partitions, expected 1 to 256"]).await;
    fs::write(path.join("LAYOUT"), layout.replace("partitions 2", "partitions 3")).unwrap();
    refused(tables[0], &["it is partition 0 of 2, expected 0 of 3"]).await;
    for what in tables {
        fs::rename(path.join(what), path.join(format!("{what}.moved"))).unwrap();
    }
    refused(".seg", &["with a different number of partitions"]).await;
    for what in tables {
        fs::rename(path.join(format!("{what}.moved")), path.join(what)).unwrap();
    }
    fs::write(path.join("LAYOUT"), layout).unwrap();

    let (_abide, server) = start(path).await;
    let output = server.get("/restate/workflow/Order/k1/output").await.unwrap();
    assert_eq!(output.ok().unwrap(), json!("tea is ordered"), "all of it is still there");
}

/// Tables are only derived from the log.
#[tokio::test(flavor = "multi_thread")]
async fn tables_are_made_again_from_a_log_that_has_everything() {
    let dir = tempfile::tempdir().unwrap();
    let (abide, server) = start(dir.path()).await;
    register(&server).await;
    server.call("/Desk/order", json!("a")).await.unwrap();
    drop(abide);
    fs::remove_file(dir.path().join("partition-0.redb")).unwrap();
    fs::remove_file(dir.path().join("partition-1.redb")).unwrap();
    let (_abide, server) = start(dir.path()).await;
    let output = server.get("/restate/workflow/Order/a/output").await.unwrap();
    assert_eq!(output.ok().unwrap(), json!("tea is ordered"));
}

/// However a copy was made, a missing part is noticed, and restoring that part is enough.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cut_after_a_clean_stop_is_refused_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let (mut abide, server) = start(path).await;
    register(&server).await;
    server.call("/Desk/order", json!("a")).await.unwrap();
    abide.terminate().unwrap();
    assert!(abide.wait().unwrap().success());
    let segment = path.join("log/0000000000000001.seg");
    let whole = fs::read(&segment).unwrap();
    // Cut to no records, then to all but the last ones. In both cases the file ends at a record
    // boundary.
    for len in [70, whole.len() / 2] {
        fs::write(&segment, &whole[..len]).unwrap();
        let complaint = complaint(path).await;
        assert!(complaint.contains("but the log ends at"), "{complaint}");
        assert!(complaint.contains("restore all of the log"), "{complaint}");
        assert_eq!(fs::read_dir(path.join("log")).unwrap().count(), 1, "nothing was begun");
        assert_eq!(fs::read(&segment).unwrap(), whole[..len], "nothing was written");
    }
    fs::write(&segment, &whole).unwrap();
    let (_abide, server) = start(path).await;
    let output = server.get("/restate/workflow/Order/a/output").await.unwrap();
    assert_eq!(output.ok().unwrap(), json!("tea is ordered"));
}

/// A single flipped bit could change an amount unnoticed.
#[tokio::test(flavor = "multi_thread")]
async fn a_bit_that_flips_in_the_tables_is_never_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("abide.toml");
    fs::write(&config, "checkpoint-interval-ms = 10\n").unwrap();
    let (mut abide, server) =
        start_with(dir.path(), &[&format!("--config={}", config.display())]).await;
    register(&server).await;
    let header = [("idempotency-key", "k")];
    let ask = async |server: &Server| {
        server.post_with("/Desk/order", &json!("checked"), &header).await.and_then(|one| one.ok())
    };
    assert_eq!(ask(&server).await.unwrap(), json!("tea is ordered"));
    let tables: Vec<_> =
        (0..2).map(|number| dir.path().join(format!("partition-{number}.redb"))).collect();
    let places = |bytes: &[u8]| -> Vec<usize> {
        let text = b"tea is ordered";
        let windows = bytes.windows(text.len()).enumerate();
        windows.filter(|(_, window)| window == text).map(|(at, _)| at).collect()
    };
    // Wait until a checkpoint has written the value.
    let written = server.eventually(|| {
        let is_there = tables.iter().any(|file| !places(&fs::read(file).unwrap()).is_empty());
        async move {
            ensure!(is_there, "no checkpoint has it");
            Ok(())
        }
    });
    written.await.unwrap();
    abide.terminate().unwrap();
    assert!(abide.wait().unwrap().success());
    for file in &tables {
        let mut bytes = fs::read(file).unwrap();
        places(&bytes).into_iter().for_each(|at| bytes[at] ^= 1);
        fs::write(file, bytes).unwrap();
    }
    let (mut abide, server) = start(dir.path()).await;
    assert!(ask(&server).await.is_err(), "it is no answer");
    assert_eq!(abide.wait().unwrap().code(), Some(101));
}
