//! Changes as they happen: `LISTEN` in the real `psql`, and server-sent events.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use anyhow::ensure;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode, body::Incoming};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};

use crate::psql::{Rig, psql};

/// A psql session that reads commands from us.
struct Session {
    input: std::process::ChildStdin,
    said: Arc<Mutex<String>>,
    process: std::process::Child,
}

impl Session {
    fn start(rig: &Rig) -> Self {
        let mut command = psql(rig.abide.sql);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (input, mut output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let said = Arc::new(Mutex::new(String::new()));
        let all = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut piece) {
                all.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..read]));
            }
        });
        Self { input, said, process }
    }

    fn write(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// Waits until psql has executed everything so far.
    async fn has_done(&mut self, rig: &Rig) {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("done");
        self.write(&format!("\\! touch {}", mark.display()));
        let is_done = || async {
            ensure!(mark.exists(), "psql has not done everything yet");
            Ok(())
        };
        rig.server.eventually(is_done).await.unwrap();
    }

    /// Waits until psql, which looks for notifications after each command, has printed some text.
    async fn until_said(&mut self, rig: &Rig, text: &str) {
        let said = Arc::clone(&self.said);
        let input = Mutex::new(&mut self.input);
        rig.server
            .eventually(|| async {
                writeln!(input.lock().unwrap(), "select 1 \\g /dev/null").unwrap();
                let said = said.lock().unwrap();
                ensure!(said.contains(text), "{text} is not in: {said}");
                Ok(())
            })
            .await
            .unwrap();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn psql_is_notified_of_what_it_listens_to() {
    let rig = Rig::start(&[]).await;
    let mut session = Session::start(&rig);
    session.write("LISTEN \"state:order-status/o-1\";");
    session.write("LISTEN \"invocations:order-status\";");
    session.has_done(&rig).await;
    rig.server.call("/order-status/o-2/set", json!("NEW")).await.unwrap();
    rig.server.call("/order-status/o-1/set", json!("NEW")).await.unwrap();
    session
        .until_said(
            &rig,
            r#"Asynchronous notification "state:order-status/o-1" with payload "{"service":"order-status","key":"o-1","name":"status"}""#,
        )
        .await;
    session
        .until_said(
            &rig,
            r#""status":"completed","service":"order-status","key":"o-1","handler":"set"}"#,
        )
        .await;
    let said = session.said.lock().unwrap().clone();
    assert!(!said.contains(r#""key":"o-2","name""#), "{said}");
    assert!(said.contains(r#"Asynchronous notification "invocations:order-status""#), "{said}");

    // It is not told of what happens while it does not listen, and is again once it does.
    session.write("UNLISTEN *;");
    session.has_done(&rig).await;
    rig.server.call("/order-status/o-3/set", json!("NEW")).await.unwrap();
    session.write("LISTEN \"state:order-status\";");
    session.has_done(&rig).await;
    rig.server.call("/order-status/o-4/set", json!("NEW")).await.unwrap();
    session.until_said(&rig, r#""key":"o-4","name":"status"}"#).await;
    let said = session.said.lock().unwrap().clone();
    assert!(!said.contains(r#""key":"o-3""#), "{said}");
}

#[tokio::test]
async fn what_cannot_be_listened_to_is_refused() {
    let rig = Rig::start(&[]).await;
    let said = rig.psql("LISTEN orders");
    assert!(said.contains("there is no channel \"orders\""), "{said}");
    assert!(said.contains("invocations"), "it says what there is: {said}");
    let said = rig.psql("NOTIFY invocations, 'x'");
    assert!(said.contains("SQL is read-only"), "{said}");
    assert!(rig.psql("UNLISTEN orders").contains("UNLISTEN"));
    let many: String = (0..40).map(|n| format!("LISTEN \"state:s{n}\";")).collect();
    assert!(rig.psql(&many).contains("a session may listen to 32 channels"));
}

/// The events of a stream, as they come.
struct Events {
    body: Incoming,
    text: String,
}

impl Events {
    /// The next event: its name and what it says.
    async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.map(str::to_owned)
                };
                let (name, data) = (field("event: "), field("data: "));
                self.text = rest.to_owned();
                // What keeps the stream alive has neither.
                let (Some(name), Some(data)) = (name, data) else { continue };
                return (name, serde_json::from_str(&data).unwrap());
            }
            let frame = self.body.frame().await.unwrap().unwrap();
            let data = frame.into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }
}

async fn follow(rig: &Rig, query: &str) -> (StatusCode, Events) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let uri = format!("{}/changes{query}", rig.server.admin);
    let request = Request::get(uri).body(Empty::new()).unwrap();
    let answer = client.request(request).await.unwrap();
    (answer.status(), Events { body: answer.into_body(), text: String::new() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_has_every_change_that_is_acknowledged_after_it_begins() {
    let rig = Rig::start(&[]).await;
    let (status, mut events) =
        follow(&rig, "?channel=state:order-status&channel=invocations:order-workflow").await;
    assert_eq!(status, StatusCode::OK);
    let keys: BTreeSet<String> = (0..200).map(|n| format!("o-{n}")).collect();
    let set = |key: &String| {
        let (server, path) = (rig.server.clone(), format!("/order-status/{key}/set"));
        async move { server.call(&path, json!("NEW")).await.unwrap() }
    };
    futures::future::join_all(keys.iter().map(set)).await;
    let mut seen = BTreeSet::new();
    while seen != keys {
        let (name, said) = events.next().await;
        assert_eq!((&*name, &said["name"]), ("state", &json!("status")), "{said}");
        seen.insert(said["key"].as_str().unwrap().to_owned());
    }
    let order = rig.server.send_to("/order-workflow/w-1/run", json!(null)).await.unwrap();
    loop {
        let (name, said) = events.next().await;
        if name == "status" {
            assert_eq!(said["id"], json!(order));
            assert_eq!((&said["service"], &said["key"]), (&json!("order-workflow"), &json!("w-1")));
            assert_eq!(said["status"], json!("running"));
            break;
        }
    }
}

#[tokio::test]
async fn streams_are_refused_with_a_reason_and_end_with_their_readers() {
    let rig = Rig::start(&[]).await;
    for query in ["", "?channel=orders", "?topic=state"] {
        assert_eq!(follow(&rig, query).await.0, StatusCode::BAD_REQUEST, "{query}");
    }
    let mut open = Vec::new();
    loop {
        let (status, events) = follow(&rig, "?channel=state").await;
        if status != StatusCode::OK {
            assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
            break;
        }
        open.push(events);
    }
    assert_eq!(open.len(), 64);
    // Others are still served, and a reader that leaves makes room.
    assert_eq!(rig.value("select 1"), "1");
    open.clear();
    rig.server
        .eventually(|| async {
            let (status, _) = follow(&rig, "?channel=state").await;
            ensure!(status == StatusCode::OK, "{status}");
            Ok(())
        })
        .await
        .unwrap();
}
