//! Bodies are checked against the JSON schemas of their handlers, if their endpoints ask for that.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, header};
use runtime_schema::{
    content_type,
    input_schema::{Mismatch, enforced::Enforced},
};
use tokio::{sync::Semaphore, task};

/// So many checks that take long run at a time; further ones wait. Each takes tens of megabytes at
/// worst, and a core.
static TURNS: Semaphore = Semaphore::const_new(2);

/// Checks a body. One that is quickly checked is checked here, and another one on a thread that
/// nobody else waits for.
pub(crate) async fn check(
    schema: Arc<Enforced>,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<(), Mismatch> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(content_type::is_json) {
        return Ok(());
    }
    if let Some(outcome) = schema.check_quickly(&body) {
        return outcome;
    }
    let turn = TURNS.acquire().await;
    let checked = task::spawn_blocking(move || {
        let _turn = turn;
        schema.check(&body)
    });
    // If the check itself fails, the input is left to the SDK.
    checked.await.unwrap_or(Ok(()))
}
