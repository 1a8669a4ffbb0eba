//! The OpenAPI document of a service: the requests of the ingress that call its handlers, with the
//! JSON schemas of their manifest. It follows from the registry alone, so it costs a request to the
//! admin API and none to the endpoint.

mod parts;

use axum::extract::State;
use protocol::{
    HandlerKind,
    surface::path::{ATTACH, CALL, INVOCATION, OUTPUT, RESTATE, SEND, WORKFLOW},
};
use runtime_views::service::{Handler, Service};
use serde_json::{Map, Value, json};

use parts::{answers, delay, idempotency_key, in_path, own_responses, own_schemas, result_headers};

use super::unknown;
use crate::{
    Admin,
    error::{ErrorBody, Refusal},
    extract::{Json, Path},
};

/// Describes how a service is called at the ingress, in OpenAPI 3.1.
#[utoipa::path(
    get, path = "/services/{service}/openapi",
    responses(
        (status = 200, description = "an OpenAPI document"),
        (status = 404, body = ErrorBody),
    )
)]
pub async fn openapi(
    State(admin): State<Admin>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let registry = admin.registry.snapshot();
    let service = registry.service(&name).ok_or_else(|| unknown(&name))?;
    let service = Service::of(service, registry.defaults());
    Ok(Json(document(&service, &admin.ingress_url)))
}

/// The document of a service whose clients see the ingress at this address.
fn document(service: &Service, ingress_url: &str) -> Value {
    let mut document = Document::default();
    let public = service.handlers.iter().filter(|handler| handler.is_public);
    public.for_each(|handler| document.handler(service, handler));
    document.results_by_id();
    document.schemas.extend(own_schemas());
    let mut info = json!({
        "title": service.name,
        "version": service.revision.to_string(),
    });
    if let Some(documentation) = &service.documentation {
        info["description"] = json!(documentation);
    }
    json!({
        "openapi": "3.1.0",
        "info": info,
        "servers": [{ "url": ingress_url.trim_end_matches('/') }],
        "paths": document.paths,
        "components": { "schemas": document.schemas, "responses": own_responses() },
    })
}

/// A document as it grows.
#[derive(Default)]
struct Document {
    paths: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl Document {
    /// Adds the requests that call a handler, and those that ask for its results.
    fn handler(&mut self, service: &Service, handler: &Handler) {
        let name = &handler.name;
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
        let (input, output) = (self.input(handler), self.output(handler));
        let call = json!({
            "operationId": format!("call_{name}"),
            "summary": format!("Call {name} and wait for its result"),
            "parameters": parameters,
            "responses": answers("200", &output),
        });
        self.add(&format!("/{RESTATE}/{CALL}/{address}"), "post", handler, call, input.clone());
        parameters.push(delay());
        let send = json!({
            "operationId": format!("send_{name}"),
            "summary": format!("Have {name} run, without waiting for it"),
            "parameters": parameters,
            "responses": answers("202", &json!({ "$ref": "#/components/responses/Sent" })),
        });
        self.add(&format!("/{RESTATE}/{SEND}/{address}"), "post", handler, send, input);
        let (results, place) = if is_run {
            (format!("/{RESTATE}/{WORKFLOW}/{}/{{key}}", service.name), place)
        } else {
            let key = in_path("idempotency_key", "The idempotency key of the request.");
            let place = place.into_iter().chain([key]).collect();
            (format!("/{RESTATE}/{INVOCATION}/{address}/{{idempotency_key}}"), place)
        };
        self.results(&results, name, &place, &output);
    }

    fn add(
        &mut self,
        path: &str,
        method: &str,
        handler: &Handler,
        mut operation: Value,
        input: Option<Value>,
    ) {
        if let Some(documentation) = &handler.documentation {
            operation["description"] = json!(documentation);
        }
        if let Some(input) = input {
            operation["requestBody"] = input;
        }
        self.paths.insert(path.to_owned(), json!({ method: operation }));
    }

    /// Adds the requests that ask for a result.
    fn results(&mut self, path: &str, name: &str, parameters: &Vec<Value>, output: &Value) {
        let attach = json!({
            "operationId": format!("attach_{name}"),
            "summary": format!("Wait for a result of {name}"),
            "parameters": parameters,
            "responses": answers("200", output),
        });
        self.paths.insert(format!("{path}/{ATTACH}"), json!({ "get": attach }));
        let mut responses = answers("200", output);
        responses["470"] = json!({ "$ref": "#/components/responses/NotReady" });
        let output = json!({
            "operationId": format!("output_{name}"),
            "summary": format!("Get a result of {name} if there is one yet"),
            "parameters": parameters,
            "responses": responses,
        });
        self.paths.insert(format!("{path}/{OUTPUT}"), json!({ "get": output }));
    }

    /// The same by the id of an invocation, whose handler the path does not say.
    fn results_by_id(&mut self) {
        let id = in_path("invocation_id", "Id of the invocation, inv_….");
        let any = json!({
            "description": "The result.",
            "headers": result_headers(),
            "content": { "*/*": {} },
        });
        for (verb, summary) in
            [(ATTACH, "Wait for the result"), (OUTPUT, "Get the result, if there is one yet,")]
        {
            let mut responses = answers("200", &any);
            if verb == OUTPUT {
                responses["470"] = json!({ "$ref": "#/components/responses/NotReady" });
            }
            let operation = json!({
                // No handler is called like this, whose ids have an underscore after the verb.
                "operationId": verb,
                "summary": format!("{summary} of an invocation"),
                "parameters": [id],
                "responses": responses,
            });
            let path = format!("/{RESTATE}/{verb}/{{invocation_id}}");
            self.paths.insert(path, json!({ "get": operation }));
        }
    }

    /// The body that a handler takes; `None` if it takes none.
    fn input(&mut self, handler: &Handler) -> Option<Value> {
        let content_type = handler.input.content_type.as_ref()?;
        let schema = handler.input.json_schema.as_deref();
        let media = self.media(&format!("{}.input", handler.name), schema);
        Some(json!({ "required": handler.input.required, "content": { content_type: media } }))
    }

    /// The answer with a handler's result.
    fn output(&mut self, handler: &Handler) -> Value {
        let mut answer = json!({ "description": "The result.", "headers": result_headers() });
        if let Some(content_type) = &handler.output.content_type {
            let schema = handler.output.json_schema.as_deref();
            let media = self.media(&format!("{}.output", handler.name), schema);
            answer["content"] = json!({ content_type: media });
        }
        answer
    }

    /// The description of a body, whose schema becomes a component of this name.
    fn media(&mut self, name: &str, schema: Option<&str>) -> Value {
        let schema = schema.and_then(|text| serde_json::from_str::<Value>(text).ok());
        let Some(mut schema) = schema else { return json!({}) };
        let place = format!("#/components/schemas/{name}");
        relocate(&mut schema, &place);
        self.schemas.insert(name.to_owned(), schema);
        json!({ "schema": { "$ref": place } })
    }
}

/// Keywords whose values are data, and not schemas.
const DATA: [&str; 5] = ["const", "default", "enum", "example", "examples"];
/// Keywords whose values are schemas by names of any kind.
const BY_NAME: [&str; 6] =
    ["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];

/// Lets the references within a schema point to where it is in the document. What has an `$id` is a
/// document of its own.
fn relocate(schema: &mut Value, place: &str) {
    let fields = match schema {
        Value::Object(fields) => fields,
        Value::Array(items) => return items.iter_mut().for_each(|item| relocate(item, place)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return,
    };
    if fields.get("$id").is_some_and(Value::is_string) {
        return;
    }
    for (keyword, value) in fields {
        match (keyword.as_str(), value) {
            ("$ref", Value::String(reference)) => {
                let pointer = reference.strip_prefix('#');
                let is_pointer = |it: &&str| it.is_empty() || it.starts_with('/');
                if let Some(pointer) = pointer.filter(is_pointer) {
                    *reference = format!("{place}{pointer}");
                }
            }
            (keyword, Value::Object(named)) if BY_NAME.contains(&keyword) => {
                named.values_mut().for_each(|schema| relocate(schema, place));
            }
            (keyword, _) if DATA.contains(&keyword) => (),
            (_, value) => relocate(value, place),
        }
    }
}

#[cfg(test)]
mod tests;
