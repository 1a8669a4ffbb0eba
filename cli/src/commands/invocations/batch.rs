//! An operation on a batch of invocations.

use serde::{Deserialize, Serialize};

use super::operation::Operation;
use crate::client::{Client, ClientError};

/// What is to be done to each invocation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) operation: Operation,
    /// Where a resumed or restarted invocation goes on.
    pub(super) deployment: Option<&'a str>,
    /// The last journal entry that a restarted one begins with.
    pub(super) from: Option<u32>,
    /// Why it is done, for the audit.
    pub(super) reason: Option<&'a str>,
    /// Invocations that are restarted under one key are restarted once.
    pub(super) key: Option<&'static str>,
}

/// What has become of each id of a batch.
#[derive(Debug, Deserialize)]
pub(super) struct Batched {
    /// Those for which it is done, or that see to it.
    pub(super) succeeded: Vec<Succeeded>,
    pub(super) failed: Vec<Failed>,
}

/// An id that it was done to.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Succeeded {
    Same(String),
    Restarted { old_invocation_id: String, new_invocation_id: String },
}

/// An id that it was not done to.
#[derive(Debug, Deserialize)]
pub(super) struct Failed {
    pub(super) invocation_id: String,
    pub(super) error: String,
}

#[derive(Serialize)]
struct Body<'a> {
    invocation_ids: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl Order<'_> {
    /// Sends a batch, and waits for what becomes of it.
    pub(super) async fn send(
        &self,
        client: &Client,
        ids: &[String],
    ) -> Result<Batched, ClientError> {
        let Self { operation, deployment, from, reason, key } = *self;
        let path = format!("/internal/invocations_batch_operations/{}", operation.path());
        let body = Body { invocation_ids: ids, deployment, from, reason };
        client.post_keyed(&path, &body, key).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::served::server_of_heads;

    #[tokio::test]
    async fn a_key_is_sent_along() {
        let batched = json!({ "succeeded": [], "failed": [] }).to_string().into_bytes();
        let answer = Some((200, "application/json", batched));
        let (client, served) = server_of_heads(vec![answer.clone(), answer]);
        let operation = Operation::Restart;
        let order = Order { operation, deployment: None, from: None, reason: None, key: None };
        order.send(&client, &[]).await.unwrap();
        Order { key: Some("once"), ..order }.send(&client, &[]).await.unwrap();
        let heads: Vec<_> = served.join().unwrap().into_iter().map(|(head, _)| head).collect();
        assert!(!heads[0].contains("idempotency-key"), "{}", heads[0]);
        assert!(heads[1].contains("\r\nidempotency-key: once\r\n"), "{}", heads[1]);
    }
}
