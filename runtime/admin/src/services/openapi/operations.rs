//! The operations of a document: the requests that call a handler, and those that ask for its
//! results.

use protocol::{
    HandlerKind,
    surface::path::{ATTACH, CALL, INVOCATION, OUTPUT, RESTATE, SEND, WORKFLOW},
};
use runtime_core::{model::deployment::HandlerDefinition, registry::Service};
use serde_json::{Map, Value, json};

use super::{
    parts::{answers, delay, idempotency_key, in_path, result_headers},
    schemas::{media, of_input, of_output},
};

/// The paths of a handler.
pub(super) fn of_handler(service: &Service, handler: &HandlerDefinition) -> Map<String, Value> {
    let mut paths = Map::new();
    let (name, service) = (&handler.name, service.definition());
    let is_keyed = service.kind.is_keyed();
    let key = if is_keyed { "/{key}" } else { "" };
    let address = format!("{}{key}/{name}", service.name);
    let is_run = handler.kind == HandlerKind::Workflow;
    let mut parameters = Vec::new();
    if is_keyed {
        let kind = if is_run { "workflow" } else { "object" };
        parameters.push(in_path("key", &format!("Key of the {kind}.")));
    }
    let place = parameters.clone();
    if !is_run {
        parameters.push(idempotency_key());
    }
    let output = output(handler);
    let call = json!({
        "operationId": format!("call_{name}"),
        "summary": format!("Call {name} and wait for its result"),
        "parameters": parameters,
        "responses": answers("200", &output),
    });
    paths.insert(format!("/{RESTATE}/{CALL}/{address}"), invoking(handler, call));
    parameters.push(delay());
    let send = json!({
        "operationId": format!("send_{name}"),
        "summary": format!("Have {name} run, without waiting for it"),
        "parameters": parameters,
        "responses": answers("202", &json!({ "$ref": "#/components/responses/Sent" })),
    });
    paths.insert(format!("/{RESTATE}/{SEND}/{address}"), invoking(handler, send));
    let (results, place) = if is_run {
        (format!("/{RESTATE}/{WORKFLOW}/{}/{{key}}", service.name), place)
    } else {
        let key = in_path("idempotency_key", "The idempotency key of the request.");
        let place = place.into_iter().chain([key]).collect();
        (format!("/{RESTATE}/{INVOCATION}/{address}/{{idempotency_key}}"), place)
    };
    let attach = json!({
        "operationId": format!("attach_{name}"),
        "summary": format!("Wait for a result of {name}"),
        "parameters": place,
        "responses": answers("200", &output),
    });
    paths.insert(format!("{results}/{ATTACH}"), json!({ "get": attach }));
    let if_ready = json!({
        "operationId": format!("output_{name}"),
        "summary": format!("Get a result of {name} if there is one yet"),
        "parameters": place,
        "responses": if_ready(&output),
    });
    paths.insert(format!("{results}/{OUTPUT}"), json!({ "get": if_ready }));
    paths
}

/// The paths of results by the id of an invocation, whose handler the path does not say.
pub(super) fn results_by_id() -> Map<String, Value> {
    let id = in_path("invocation_id", "Id of the invocation, inv_….");
    let any = json!({
        "description": "The result.",
        "headers": result_headers(),
        "content": { "*/*": {} },
    });
    let path = |(verb, summary, responses): (&str, &str, Value)| {
        let operation = json!({
            // No handler is called like this, whose ids have an underscore after the verb.
            "operationId": verb,
            "summary": format!("{summary} of an invocation"),
            "parameters": [id],
            "responses": responses,
        });
        (format!("/{RESTATE}/{verb}/{{invocation_id}}"), json!({ "get": operation }))
    };
    let paths = [
        (ATTACH, "Wait for the result", answers("200", &any)),
        (OUTPUT, "Get the result, if there is one yet,", if_ready(&any)),
    ];
    paths.into_iter().map(path).collect()
}

/// An operation that invokes a handler: what the handler says of itself, and what it takes.
fn invoking(handler: &HandlerDefinition, mut operation: Value) -> Value {
    if let Some(documentation) = &handler.documentation {
        operation["description"] = json!(documentation);
    }
    if let Some(content_type) = &handler.input.content_type {
        let media = media(&of_input(handler), handler.input.json_schema.as_deref());
        let content = json!({ content_type: media });
        let body = json!({ "required": handler.input.required, "content": content });
        operation["requestBody"] = body;
    }
    json!({ "post": operation })
}

/// The answer with a handler's result.
fn output(handler: &HandlerDefinition) -> Value {
    let mut answer = json!({ "description": "The result.", "headers": result_headers() });
    if let Some(content_type) = &handler.output.content_type {
        let media = media(&of_output(handler), handler.output.json_schema.as_deref());
        answer["content"] = json!({ content_type: media });
    }
    answer
}

/// The answers to a request for a result that there may not be yet.
fn if_ready(output: &Value) -> Value {
    let mut responses = answers("200", output);
    responses["470"] = json!({ "$ref": "#/components/responses/NotReady" });
    responses
}
