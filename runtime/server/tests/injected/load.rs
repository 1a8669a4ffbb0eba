//! A load that records each request: what was acknowledged, what was refused, and what is unknown.

use std::ops::RangeInclusive;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e_client::Server;
use http::{Method, StatusCode};
use runtime_seeded::Random;
use serde_json::json;

/// The error for new work while the disk is nearly full.
const NO_ROOM: &str = "disk is nearly full";

/// An invocation that was acknowledged.
#[derive(Debug, Clone)]
struct Acknowledged {
    key: String,
    id: String,
    asked: Instant,
}

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Submitted {
    Acknowledged,
    Refused,
    Unknown,
}

/// This many refusals in a row, each with a key of its own, mean that all partitions refuse.
const REFUSALS: u32 = 10;

#[derive(Debug, Default)]
struct Book {
    acknowledged: Vec<Acknowledged>,
    /// Refused for lack of disk space: none of it may have been stored.
    refused: Vec<String>,
    /// Without a response, or with one that promises nothing.
    unknown: Vec<String>,
}

/// A key, the invocation that was acknowledged for it, and how often its handler may have run.
type Check = (String, Option<String>, RangeInclusive<u64>);

/// A load of requests on several connections, each request with a key of its own.
pub(crate) struct Load {
    server: Server,
    body_bytes: usize,
    is_over: AtomicBool,
    book: Mutex<Book>,
}

/// How many requests had which outcome.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) acknowledged: usize,
    pub(crate) refused: usize,
}

impl Load {
    pub(crate) fn new(server: &Server, body_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            server: server.clone(),
            body_bytes,
            is_over: AtomicBool::new(false),
            book: Mutex::default(),
        })
    }

    /// Sends and calls on several connections, until each has been refused [`REFUSALS`] times in a
    /// row, or the load is stopped.
    pub(crate) fn start(
        self: &Arc<Self>,
        name: &str,
        connections: usize,
    ) -> Vec<tokio::task::JoinHandle<()>> {
        self.is_over.store(false, SeqCst);
        let one = |connection| {
            let (load, name) = (Arc::clone(self), format!("{name}-{connection}"));
            tokio::spawn(async move {
                let mut refusals = 0;
                for number in 0.. {
                    let key = format!("{name}-{number}");
                    // A call may have to wait for space. Connections that only send keep going.
                    let is_send = connection % 2 == 0 || number % 2 == 0;
                    refusals = match load.ask(&key, is_send).await {
                        Submitted::Refused => refusals + 1,
                        Submitted::Acknowledged => 0,
                        Submitted::Unknown => return,
                    };
                    if load.is_over.load(SeqCst) || refusals == REFUSALS {
                        return;
                    }
                }
            })
        };
        (0..connections).map(one).collect()
    }

    pub(crate) fn stop(&self) {
        self.is_over.store(true, SeqCst);
    }

    /// Requests one invocation.
    pub(crate) async fn ask(&self, key: &str, is_send: bool) -> Submitted {
        let body = Random::new(key.len() as u64).bytes(self.body_bytes);
        let path = if is_send { "add/send" } else { "add" };
        let uri = format!("{}/Tally/{key}/{path}", self.server.ingress);
        let headers = [("content-type", "application/octet-stream")];
        let asked = Instant::now();
        let answer = self.server.send(Method::POST, &uri, &headers, body).await;
        let mut book = self.book.lock().unwrap();
        match answer {
            Ok(answer) if answer.status.is_success() => {
                let id = if is_send {
                    let id = answer.ok().unwrap()["invocationId"].clone();
                    id.as_str().unwrap().to_owned()
                } else {
                    answer.invocation().unwrap()
                };
                book.acknowledged.push(Acknowledged { key: key.to_owned(), id, asked });
                Submitted::Acknowledged
            }
            Ok(answer) if answer.status == StatusCode::INSUFFICIENT_STORAGE => {
                answer.expect_failure(507, NO_ROOM).unwrap();
                book.refused.push(key.to_owned());
                Submitted::Refused
            }
            Ok(_) | Err(_) => {
                book.unknown.push(key.to_owned());
                Submitted::Unknown
            }
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let book = self.book.lock().unwrap();
        Counts { acknowledged: book.acknowledged.len(), refused: book.refused.len() }
    }

    /// How many requests sent after `moment` were acknowledged.
    pub(crate) fn acknowledged_after(&self, moment: Instant) -> usize {
        let book = self.book.lock().unwrap();
        book.acknowledged.iter().filter(|one| one.asked > moment).count()
    }

    /// Checks that everything acknowledged ran once, and that nothing refused ran.
    pub(crate) async fn check(self: &Arc<Self>) -> Result<()> {
        let book = std::mem::take(&mut *self.book.lock().unwrap());
        let acknowledged = book.acknowledged.into_iter().map(|one| (one.key, Some(one.id), 1..=1));
        let refused = book.refused.into_iter().map(|key| (key, None, 0..=0));
        let unknown = book.unknown.into_iter().map(|key| (key, None, 0..=1));
        let checks: Vec<Check> = acknowledged.chain(refused).chain(unknown).collect();
        let parts = checks.len().div_ceil(8).max(1);
        let tasks: Vec<_> = checks
            .chunks(parts)
            .map(|part| {
                let (load, part) = (Arc::clone(self), part.to_vec());
                tokio::spawn(async move {
                    for (key, id, runs) in part {
                        load.check_one(&key, id, runs).await.context(key)?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        Ok(())
    }

    async fn check_one(
        &self,
        key: &str,
        id: Option<String>,
        runs: RangeInclusive<u64>,
    ) -> Result<()> {
        if let Some(id) = id {
            let output = format!("/restate/invocation/{id}/output");
            let ended = self
                .server
                .eventually(|| async { self.server.get(&output).await?.ok() })
                .await
                .with_context(|| format!("LOST: {id} was acknowledged"))?;
            ensure!(ended == json!(1), "{id} ended with {ended}");
        }
        // When a call is answered, earlier ones may still be waiting.
        let total = self
            .server
            .eventually(|| async {
                self.server.call(&format!("/Tally/{key}/total"), json!(null)).await
            })
            .await?;
        let total = total.as_u64().context("no total")?;
        ensure!(runs.contains(&total), "it has run {total} times, expected {runs:?}");
        Ok(())
    }
}

/// Waits until a condition holds that must come true.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        ensure!(Instant::now() < deadline, "not even after a minute: {what}");
        tokio::time::sleep(crate::rig::PAUSE).await;
    }
    Ok(())
}
