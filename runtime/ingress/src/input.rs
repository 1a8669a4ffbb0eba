//! Bodies are checked against the JSON schemas of their handlers, if their endpoints ask for that.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, header};
use runtime_schema::{
    content_type,
    input_schema::{Mismatch, enforced::Enforced},
};
use tokio::{sync::Semaphore, task};

use crate::LongChecks;

/// So many checks that take long run at a time; further ones wait. Each takes tens of megabytes at
/// worst, and a core.
static TURNS: Semaphore = Semaphore::const_new(2);

/// Checks a body. One that is quickly checked is checked here, and another one where `long_checks`
/// says.
pub(crate) async fn check(
    schema: Arc<Enforced>,
    headers: &HeaderMap,
    body: Bytes,
    long_checks: LongChecks,
) -> Result<(), Mismatch> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(content_type::is_json) {
        return Ok(());
    }
    if let Some(outcome) = schema.check_quickly(&body) {
        return outcome;
    }
    if long_checks == LongChecks::Here {
        return schema.check(&body);
    }
    let turn = TURNS.acquire().await;
    let checked = task::spawn_blocking(move || {
        let _turn = turn;
        schema.check(&body)
    });
    // If the check itself fails, the input is left to the SDK.
    checked.await.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fits(schema: &str, content_type: Option<&str>, body: String) -> bool {
        let content_type = content_type.map(|it| (header::CONTENT_TYPE, it.parse().unwrap()));
        let headers: HeaderMap = content_type.into_iter().collect();
        let check = |long_checks| {
            let schema = Arc::new(Enforced::new(schema));
            super::check(schema, &headers, Bytes::from(body.clone()), long_checks)
        };
        let fits = check(LongChecks::Aside).await.is_ok();
        assert_eq!(check(LongChecks::Here).await.is_ok(), fits);
        fits
    }

    #[tokio::test]
    async fn only_what_is_sent_as_json_is_checked() {
        let text = || "true".to_owned();
        let integer = r#"{"type":"integer"}"#;
        for json in ["application/json", "application/json; charset=utf-8", "application/a+json"] {
            assert!(!fits(integer, Some(json), text()).await, "{json}");
        }
        for other in [Some("text/plain"), Some("application/octet-stream"), None] {
            assert!(fits(integer, other, text()).await, "{other:?}");
        }
    }

    #[tokio::test]
    async fn what_takes_long_is_checked_too_unless_it_takes_too_long() {
        let items = r#"{"items":{"type":"integer"}}"#;
        let many = |count: usize| format!("[{}true]", "1,".repeat(count));
        for (count, is_checked) in [(10, true), (10_000, true), (300_000, false)] {
            let fits = fits(items, Some("application/json"), many(count)).await;
            assert_eq!(!fits, is_checked, "{count}");
        }
    }
}
