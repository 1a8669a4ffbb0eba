//! A node with all services, and what it says about why something does not go on.

use std::process::{Command, Output, Stdio};

use abide_sdk::prelude::*;
use anyhow::{Result as Any, ensure};
use e2e_client::{HttpResponse, Server};
use e2e_harness::{abide::Abide, process::Process};
use http::Method;
use protocol::PartitionKey;
use runtime_core::{Partition, PartitionId};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{services::endpoint, support::start_under_settings};

/// Handlers suspend at every wait.
const SUSPENDS: (&str, &str) = ("ABIDE_INACTIVITY_TIMEOUT_MS", "0");

pub(crate) struct Node {
    pub(crate) server: Server,
    abide: Abide,
    /// The deployment with all services.
    pub(crate) deployment: String,
    _process: Process,
    _dir: tempfile::TempDir,
}

/// An endpoint that ends when this is dropped.
pub(crate) struct Served {
    pub(crate) deployment: String,
    end: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<()>,
}

impl Served {
    /// Ends it, and waits until nothing listens any more.
    pub(crate) async fn end(mut self) {
        drop(self.end.take());
        self.served.await.unwrap();
    }
}

impl Node {
    pub(crate) async fn start() -> Self {
        Self::start_under(&[]).await
    }

    pub(crate) async fn start_under(settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = [&[SUSPENDS], settings].concat();
        let (process, server, abide) = start_under_settings(dir.path(), &settings).await;
        let deployment = String::new();
        let mut node = Self { server, abide, deployment, _process: process, _dir: dir };
        let mut served = node.serve(endpoint()).await;
        node.deployment = std::mem::take(&mut served.deployment);
        // It is served until the test ends.
        std::mem::forget(served.end.take());
        node
    }

    /// Serves an endpoint, and registers it.
    pub(crate) async fn serve(&self, endpoint: Endpoint) -> Served {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let (end, ended) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            endpoint.serve_listener(listener, async { drop(ended.await) }).await.unwrap();
        });
        let registered = self.server.register(&json!({ "uri": uri })).await.unwrap().ok().unwrap();
        let deployment = registered["id"].as_str().unwrap().to_owned();
        Served { deployment, end: Some(end), served }
    }

    /// Sends to a handler; returns the invocation's id.
    pub(crate) async fn begin(&self, path: &str, body: Value) -> String {
        self.server.send_to(path, body).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> HttpResponse {
        let uri = format!("{}{path}", self.server.admin);
        self.server.send(Method::GET, &uri, &[], "").await.unwrap()
    }

    /// Why an invocation does not go on.
    pub(crate) async fn why(&self, id: &str) -> Why {
        Why(self.get(&format!("/invocations/{id}/why")).await.ok().unwrap())
    }

    /// The same, once its links are of these kinds.
    pub(crate) async fn until(&self, id: &str, kinds: &[&str]) -> Why {
        let look = || async {
            let why = self.why(id).await;
            ensure!(why.kinds() == kinds, "{kinds:?} is expected: {:#}", why.0);
            Any::<Why>::Ok(why)
        };
        self.server.eventually(look).await.unwrap()
    }

    pub(crate) async fn operate(&self, id: &str, what: &str) {
        assert!(self.server.control(id, what).await.unwrap().status.is_success(), "{what} {id}");
    }

    /// Completes an awakeable as the advice says.
    pub(crate) async fn resolve(&self, advice: &str, value: u64) {
        let url = advice.split('\'').nth(1).unwrap();
        let json = [("content-type", "application/json")];
        let answer = self.server.send(Method::POST, url, &json, value.to_string()).await.unwrap();
        assert_eq!(answer.status, 202, "{advice}");
    }

    pub(crate) async fn remove(&self, deployment: &str) {
        let uri = format!("{}/deployments/{deployment}?force=true", self.server.admin);
        let answer = self.server.send(Method::DELETE, &uri, &[], "").await.unwrap();
        assert_eq!(answer.status, 202);
    }

    /// The rows of a query.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Value> {
        self.server.rows(sql).await.unwrap()
    }

    /// Runs the command line.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_abide"));
        command.args(arguments).env("ABIDE_ADMIN_URL", format!("http://{}", self.abide.admin));
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command as the advice says; whoever types it would be asked.
    pub(crate) fn follow(&self, advice: &str) {
        let arguments = advice.strip_prefix("abide ").unwrap();
        let arguments: Vec<&str> = arguments.split(' ').chain(["--yes"]).collect();
        let output = self.run(&arguments);
        assert!(output.status.success(), "{advice}: {output:?}");
    }
}

/// What is said about something.
#[derive(Debug)]
pub(crate) struct Why(pub(crate) Value);

impl Why {
    pub(crate) fn links(&self) -> &[Value] {
        self.0["links"].as_array().unwrap()
    }

    pub(crate) fn kinds(&self) -> Vec<&str> {
        self.links().iter().map(|link| link["kind"].as_str().unwrap()).collect()
    }

    pub(crate) fn verdict(&self) -> &str {
        self.0["verdict"].as_str().unwrap()
    }

    /// The kinds of the causes.
    pub(crate) fn causes(&self) -> Vec<&str> {
        self.links().iter().filter_map(|link| link["cause"]["kind"].as_str()).collect()
    }

    pub(crate) fn detail(&self, at: usize) -> &str {
        self.links()[at]["detail"].as_str().unwrap()
    }

    pub(crate) fn subject(&self, at: usize) -> &str {
        self.links()[at]["subject"]["id"].as_str().unwrap()
    }

    /// The commands of a link's advice.
    pub(crate) fn commands(&self, at: usize) -> Vec<&str> {
        let advice = self.links()[at]["advice"].as_array().into_iter().flatten();
        advice.filter_map(|it| it["command"].as_str()).collect()
    }

    /// Says all of it about a chain with a single link.
    pub(crate) fn is_one(&self, kind: &str, verdict: &str, says: &str) -> &Self {
        assert_eq!((self.kinds(), self.causes()), (vec![kind], vec![kind]), "{:#}", self.0);
        assert_eq!(self.verdict(), verdict, "{:#}", self.0);
        assert!(self.detail(0).contains(says), "{says}: {:#}", self.0);
        self
    }
}

/// A key that a partition owns, of two.
pub(crate) fn key_in(partition: u16, name: &str) -> String {
    let keys = (0..).map(|number| format!("{name}-{number}"));
    let is_there =
        |key: &String| Partition::owner(2, PartitionKey::of_key(key)) == PartitionId(partition);
    keys.into_iter().find(is_there).unwrap()
}
