//! Parts that the documents of all services have in common.

use protocol::surface::header::{self, IDEMPOTENCY_EXPIRES, IDEMPOTENCY_KEY};
use serde_json::{Map, Value, json};

/// An answer of this status, and all others, which have one form.
pub(super) fn answers(status: &str, answer: &Value) -> Value {
    json!({ status: answer, "default": { "$ref": "#/components/responses/Failed" } })
}

pub(super) fn in_path(name: &str, description: &str) -> Value {
    json!({
        "name": name,
        "in": "path",
        "required": true,
        "description": description,
        "schema": { "type": "string" },
    })
}

pub(super) fn idempotency_key() -> Value {
    json!({
        "name": IDEMPOTENCY_KEY,
        "in": "header",
        "required": false,
        "description": "Requests with the same key are one invocation, which runs once.",
        "schema": { "type": "string" },
    })
}

pub(super) fn delay() -> Value {
    json!({
        "name": "delay",
        "in": "query",
        "required": false,
        "description": "When to run it: after this duration, such as 10s, 1h30m or PT5M.",
        "schema": { "type": "string" },
    })
}

pub(super) fn result_headers() -> Value {
    json!({
        header::INVOCATION: invocation_id(),
        IDEMPOTENCY_EXPIRES: {
            "description": "Until when a result is kept that an earlier request has stored.",
            "schema": { "type": "string", "format": "date-time" },
        },
    })
}

fn invocation_id() -> Value {
    json!({ "description": "Id of the invocation.", "schema": { "type": "string" } })
}

pub(super) fn own_responses() -> Value {
    let error = json!({
        "application/json": { "schema": { "$ref": "#/components/schemas/Error" } },
    });
    let headers = json!({ header::INVOCATION: invocation_id() });
    json!({
        "Failed": {
            "description": "The request is refused, or the handler has failed.",
            "headers": headers,
            "content": error,
        },
        "NotReady": {
            "description": "The invocation has no result yet.",
            "headers": headers,
            "content": error,
        },
        "Sent": {
            "description": "The request is durable.",
            "headers": headers,
            "content": {
                "application/json": { "schema": { "$ref": "#/components/schemas/Sent" } },
            },
        },
    })
}

/// The schemas of what the ingress itself says. No handler's schema is called like these, which have
/// no dot.
pub(super) fn own_schemas() -> Map<String, Value> {
    let error = json!({
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": { "type": "integer" },
            "message": { "type": "string" },
            "source": { "enum": ["ingress", "invocation"] },
            "metadata": { "type": "object", "additionalProperties": { "type": "string" } },
            "stacktrace": { "type": "string" },
        },
    });
    let sent = json!({
        "type": "object",
        "required": ["invocationId", "status"],
        "properties": {
            "invocationId": { "type": "string" },
            "status": { "enum": ["Accepted", "PreviouslyAccepted"] },
            "executionTime": { "type": "string", "format": "date-time" },
        },
    });
    Map::from_iter([("Error".to_owned(), error), ("Sent".to_owned(), sent)])
}
