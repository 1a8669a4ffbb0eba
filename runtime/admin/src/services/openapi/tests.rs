use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::{DeploymentId, discovery::Manifest};
use runtime_core::{
    model::deployment::StoredDeployment,
    registry::{Defaults, RegistrySnapshot},
    time::Timestamp,
};
use runtime_schema::registration::{Endpoint, plan};
use serde_json::{Value, json};

use super::{pieces::Pieces, *};

const MANIFEST: &str = r##"{
    "protocolMode": "BIDI_STREAM", "minProtocolVersion": 5, "maxProtocolVersion": 7,
    "services": [
        {
            "name": "Cart", "ty": "VIRTUAL_OBJECT", "documentation": "What somebody buys.",
            "handlers": [
                {
                    "name": "add", "ty": "EXCLUSIVE", "documentation": "Puts something in.",
                    "input": {
                        "required": true, "contentType": "application/json",
                        "jsonSchema": {
                            "$schema": "https://json-schema.org/draft/2020-12/schema",
                            "type": "object",
                            "properties": {
                                "item": { "$ref": "#/$defs/Item" },
                                "$ref": { "type": "string" },
                                "same": { "$ref": "#" },
                                "default": { "$ref": "#/$defs/Item" },
                                "elsewhere": { "$ref": "https://example.com/x" }
                            },
                            "default": { "$ref": "#/data" },
                            "$defs": {
                                "Item": { "properties": { "in": { "$ref": "#/$defs/Item" } } }
                            }
                        }
                    },
                    "output": { "contentType": "application/json", "jsonSchema": true }
                },
                { "name": "look", "ty": "SHARED", "output": {} },
                { "name": "audit", "ty": "SHARED", "ingressPrivate": true }
            ]
        },
        {
            "name": "Signup", "ty": "WORKFLOW",
            "handlers": [{ "name": "run", "ty": "WORKFLOW", "input": {} }]
        },
        { "name": "Greeter", "ty": "SERVICE", "handlers": [{ "name": "greet" }] }
    ]
}"##;

/// The document of a service in [`MANIFEST`].
fn described(service: &str) -> Value {
    let pieces = pieces(serde_json::from_str(MANIFEST).unwrap(), service);
    serde_json::from_str(&pieces.collect::<String>()).unwrap()
}

/// The pieces of the document of a service in a manifest.
fn pieces(manifest: Manifest, service: &str) -> Pieces {
    let empty = RegistrySnapshot::new(Vec::new(), Defaults::default());
    let endpoint = Endpoint {
        id: DeploymentId(1),
        uri: "http://h".to_owned(),
        http1: false,
        headers: Vec::new(),
        metadata: Vec::new(),
        sdk: None,
    };
    let deployment = plan(&empty, endpoint, &manifest, false).unwrap().deployment;
    let revisions = vec![7; deployment.services.len()];
    let created_at = Timestamp(1);
    let stored = StoredDeployment { deployment: Arc::new(deployment), created_at, revisions };
    let registry = RegistrySnapshot::new(vec![stored], Defaults::default());
    Pieces::of(Arc::new(registry), service.to_owned(), "http://ingress:8080/")
}

/// The largest service there may be: its document never is in memory as a whole.
#[tokio::test]
async fn a_document_of_many_handlers_comes_in_chunks() {
    let handlers = (0..10_000).map(|at| {
        let schema = json!({ "type": "object", "properties": { "a": { "type": "string" } } });
        let input = json!({ "contentType": "application/json", "jsonSchema": schema });
        json!({ "name": format!("h{at}"), "input": input })
    });
    let service = json!({
        "name": "Big", "ty": "SERVICE", "handlers": handlers.collect::<Vec<_>>(),
    });
    let manifest = json!({
        "protocolMode": "BIDI_STREAM", "minProtocolVersion": 5, "maxProtocolVersion": 7,
        "services": [service],
    });
    let mut pieces = pieces(serde_json::from_value(manifest).unwrap(), "Big");
    let mut document = Vec::new();
    while let Some((bytes, rest)) = chunk(pieces).await.unwrap() {
        assert!(bytes.len() < 2 * CHUNK_BYTES, "{} bytes", bytes.len());
        document.extend_from_slice(&bytes);
        pieces = rest;
    }
    let document: Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(paths(&document).len(), 4 * 10_000 + 2);
    let input = &document["components"]["schemas"]["h9999.input"];
    assert_eq!(input["properties"]["a"]["type"], "string");
}

fn paths(document: &Value) -> Vec<&str> {
    document["paths"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_public_handlers_have_their_routes_at_the_ingress() {
    let cart = described("Cart");
    let expected = [
        "/restate/attach/{invocation_id}",
        "/restate/call/Cart/{key}/add",
        "/restate/call/Cart/{key}/look",
        "/restate/invocation/Cart/{key}/add/{idempotency_key}/attach",
        "/restate/invocation/Cart/{key}/add/{idempotency_key}/output",
        "/restate/invocation/Cart/{key}/look/{idempotency_key}/attach",
        "/restate/invocation/Cart/{key}/look/{idempotency_key}/output",
        "/restate/output/{invocation_id}",
        "/restate/send/Cart/{key}/add",
        "/restate/send/Cart/{key}/look",
    ];
    assert_eq!(paths(&cart), expected);
    assert_eq!(cart["servers"], json!([{ "url": "http://ingress:8080" }]));
    let info = json!({ "title": "Cart", "version": "7", "description": "What somebody buys." });
    assert_eq!(cart["info"], info);
    let call = &cart["paths"]["/restate/call/Cart/{key}/add"]["post"];
    assert_eq!(call["description"], "Puts something in.");
    assert_eq!(call["requestBody"]["required"], true);
    let look = &cart["paths"]["/restate/call/Cart/{key}/look"]["post"];
    assert!(look["responses"]["200"]["content"].is_null(), "it answers nothing: {look}");
    let greeter = described("Greeter");
    assert!(paths(&greeter).contains(&"/restate/call/Greeter/greet"));
    let run = described("Signup");
    assert!(paths(&run).contains(&"/restate/workflow/Signup/{key}/output"));
}

fn named<'a>(operation: &'a Value, name: &str) -> Option<&'a Value> {
    operation["parameters"].as_array().unwrap().iter().find(|it| it["name"] == name)
}

#[test]
fn a_key_or_a_delay_is_a_parameter_where_it_is_taken() {
    let (cart, signup) = (described("Cart"), described("Signup"));
    let call = &cart["paths"]["/restate/call/Cart/{key}/add"]["post"];
    assert_eq!(named(call, "idempotency-key").unwrap()["in"], "header");
    assert!(named(call, "delay").is_none());
    let send = &cart["paths"]["/restate/send/Cart/{key}/add"]["post"];
    assert_eq!(named(send, "delay").unwrap()["in"], "query");
    let run = &signup["paths"]["/restate/send/Signup/{key}/run"]["post"];
    assert!(named(run, "idempotency-key").is_none(), "the workflow's key serves as one");
    assert!(named(run, "delay").is_some());
}

#[test]
fn references_within_a_schema_go_to_where_it_is_now() {
    let cart = described("Cart");
    let schema = &cart["components"]["schemas"]["add.input"];
    let place = "#/components/schemas/add.input";
    assert_eq!(schema["properties"]["item"]["$ref"], format!("{place}/$defs/Item"));
    assert_eq!(schema["properties"]["same"]["$ref"], place);
    assert_eq!(schema["properties"]["default"]["$ref"], format!("{place}/$defs/Item"));
    let recursive = &schema["$defs"]["Item"]["properties"]["in"]["$ref"];
    assert_eq!(*recursive, format!("{place}/$defs/Item"));
    assert_eq!(schema["properties"]["$ref"]["type"], "string", "a property may be called so");
    assert_eq!(schema["properties"]["elsewhere"]["$ref"], "https://example.com/x");
    assert_eq!(schema["default"]["$ref"], "#/data", "data is no schema");
    assert_eq!(cart["components"]["schemas"]["add.output"], true);
}

/// What OpenAPI 3.1 demands of a document beside the shape of its parts.
#[test]
fn the_document_holds_together() {
    for service in ["Cart", "Signup", "Greeter"] {
        let document = described(service);
        let mut ids = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(["get", "post"].contains(&method.as_str()), "{method}");
                let id = operation["operationId"].as_str().unwrap();
                assert!(ids.insert(id.to_owned()), "{id} is there twice");
                let parameters = operation["parameters"].as_array().unwrap();
                let declared = parameters.iter().filter(|it| it["in"] == "path");
                let declared: BTreeSet<_> =
                    declared.map(|it| it["name"].as_str().unwrap().to_owned()).collect();
                let parts = path.split('/').filter_map(|part| part.strip_prefix('{'));
                let needed = parts.map(|part| part.strip_suffix('}').unwrap().to_owned());
                assert_eq!(declared, needed.collect(), "{path}");
                let responses = operation["responses"].as_object().unwrap();
                assert!(responses.contains_key("default") && responses.len() > 1, "{path}");
            }
        }
        let component = |name: &String| {
            name.chars().all(|it| it.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&it))
        };
        assert!(document["components"]["schemas"].as_object().unwrap().keys().all(component));
        check_references(&document, &document);
    }
}

fn check_references(document: &Value, part: &Value) {
    match part {
        Value::Object(fields) => {
            if let Some(pointer) = fields.get("$ref").and_then(Value::as_str)
                && let Some(pointer) = pointer.strip_prefix('#')
                && pointer != "/data"
            {
                assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
            }
            fields.values().for_each(|part| check_references(document, part));
        }
        Value::Array(items) => items.iter().for_each(|part| check_references(document, part)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
}
