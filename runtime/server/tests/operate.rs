//! What an operator sees of failing attempts, of startup, and of shutdown.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use abide_sdk::prelude::*;
use anyhow::{Context as _, ensure};
use e2e_harness::process::Process;
use http::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;

use support::{serve_endpoint, start, start_logging};

/// Fails this many times before it returns a result.
struct Flaky(AtomicUsize);

#[service(retry(initial = "1ms", max_interval = "2ms", max_attempts = 100))]
impl Flaky {
    pub async fn answer(&self, _ctx: &Context) -> Result<String> {
        let left = self.0.load(Ordering::SeqCst);
        if left > 0 {
            self.0.store(left - 1, Ordering::SeqCst);
            return Err(anyhow::anyhow!("not yet\n WARN forged").into());
        }
        Ok("now".to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_attempts_have_a_line_at_the_first_and_each_tenth_and_one_when_it_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log.txt");
    let (_abide, server) = start_logging(&dir.path().join("data"), &log).await;
    serve_endpoint(&server, Endpoint::new().bind(Flaky(AtomicUsize::new(21)))).await;
    let answer = server.post("/Flaky/answer", &Value::Null).await.unwrap();
    assert_eq!(answer.ok().unwrap(), json!("now"));
    let id = answer.invocation().unwrap();
    let said = server.eventually(|| async {
        let text = std::fs::read_to_string(&log)?;
        ensure!(text.contains("an invocation makes progress again after failed attempts"));
        Ok(text)
    });
    let said = said.await.unwrap();
    assert!(!said.contains('\u{1b}'), "colours are for terminals");
    let warned: Vec<_> = said.lines().filter(|line| line.contains(" WARN ")).collect();
    let failures = |line: &&str| {
        let (_, rest) = line.split_once(" failures=")?;
        rest.split(' ').next()?.parse::<u32>().ok()
    };
    let counts: Vec<_> = warned.iter().filter_map(failures).collect();
    assert_eq!(counts, [1, 10, 20], "{said}");
    for part in [
        "an attempt failed",
        &format!("invocation={id}"),
        "target=\"Flaky/answer\"",
        "deployment=dp_",
        "address=\"http://127.0.0.1:",
        r#"error="not yet\n WARN forged""#,
        "then=\"next attempt in ",
    ] {
        assert!(warned[0].contains(part), "{part} is not in {}", warned[0]);
    }
    assert_eq!(warned.len(), counts.len(), "a line of its own is nobody else's: {warned:?}");
}

/// Waits for an awakeable, or works until the test lets it end.
struct Slow {
    begun: Arc<Notify>,
    left: Arc<Notify>,
    may_end: Arc<Notify>,
    runs: Arc<AtomicUsize>,
}

struct Leaving(Arc<Notify>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[service]
impl Slow {
    pub async fn wait(&self, ctx: &Context) -> Result<String> {
        let _leaving = Leaving(Arc::clone(&self.left));
        let (_, answer) = ctx.awakeable::<String>();
        self.begun.notify_one();
        Ok(answer.await?)
    }

    pub async fn work(&self, ctx: &Context) -> Result<String> {
        let work = || async {
            self.runs.fetch_add(1, Ordering::SeqCst);
            self.begun.notify_one();
            self.may_end.notified().await;
            Ok("done".to_owned())
        };
        Ok(ctx.run("work", work).await?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_suspends_what_waits_and_lets_work_end() {
    let dir = tempfile::tempdir().unwrap();
    let (mut abide, server) = start(dir.path()).await;
    let slow = Slow {
        begun: Arc::default(),
        left: Arc::default(),
        may_end: Arc::default(),
        runs: Arc::default(),
    };
    let left = Arc::clone(&slow.left);
    let (begun, may_end, runs) =
        (Arc::clone(&slow.begun), Arc::clone(&slow.may_end), Arc::clone(&slow.runs));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let endpoint = Endpoint::new().bind(slow);
    tokio::spawn(endpoint.serve_listener(listener, std::future::pending()));
    server.register(&json!({ "uri": uri })).await.unwrap().ok().unwrap();

    let mut ids = Vec::new();
    for handler in ["wait", "work"] {
        let sent = server.post(&format!("/Slow/{handler}/send"), &Value::Null).await.unwrap();
        ids.push(sent.ok().unwrap()["invocationId"].as_str().unwrap().to_owned());
        begun.notified().await;
    }
    abide.terminate().unwrap();
    // The attempt that waits is asked to suspend, and the server waits for the other one.
    left.notified().await;
    may_end.notify_one();
    assert!(abide.wait().unwrap().success());

    let (_abide, server) = start(dir.path()).await;
    let status = |id: String| {
        let (server, uri) = (&server, format!("{}/invocations/{id}", server.admin));
        async move {
            let answer = server.send(Method::GET, &uri, &[], "").await?.ok()?;
            Ok::<_, anyhow::Error>(answer["status"].as_str().context("no status")?.to_owned())
        }
    };
    assert_eq!(status(ids[0].clone()).await.unwrap(), "suspended");
    let work = server.eventually(|| async {
        let status = status(ids[1].clone()).await?;
        ensure!(status == "completed", "{status}");
        Ok(())
    });
    work.await.unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 1, "what had ended does not run again");
}

#[test]
fn a_free_port_is_printed_and_a_bad_variable_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let serve = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_abide"));
        command.arg("serve").arg("--data-dir").arg(dir.path());
        command.args(["--ingress-address=localhost:0", "--admin-address=127.0.0.1:0"]);
        command.args(["--sql-address=127.0.0.1:0"]);
        command
    };
    let refused = serve().env("ABIDE_PARTITIONS", "many").output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.starts_with("abide: ABIDE_PARTITIONS is 'many': "), "{said}");
    for bad in ["a=b=c", "verbose", "info,verbose"] {
        let refused = serve().env("ABIDE_LOG", bad).output().unwrap();
        let said = String::from_utf8(refused.stderr).unwrap();
        let expected = format!("abide: ABIDE_LOG is '{bad}', expected a level");
        assert!(said.starts_with(&expected), "{said}");
    }

    let mut command = serve();
    command.env("ABIDE_PARTITIONS", "").stdout(Stdio::piped());
    let mut abide = Process::spawn("abide", command).unwrap();
    let lines = BufReader::new(abide.take_stdout().unwrap()).lines().map_while(Result::ok);
    let said: Vec<String> = lines.take(3).collect();
    for (line, what) in said.iter().skip(1).zip(["ingress", "admin"]) {
        assert!(line.trim_start().starts_with(what), "{said:?}");
        let port = line.rsplit_once(':').unwrap().1;
        assert!(port.parse::<u16>().unwrap() > 0, "{said:?}");
    }
}
