//! The schemas of handlers, which become components of the document.

use runtime_core::model::deployment::HandlerDefinition;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

/// The body of a request or a response, whose schema is the component of this name.
pub(super) fn media(name: &str, schema: Option<&str>) -> Value {
    let is_one = schema.is_some_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    if is_one { json!({ "schema": { "$ref": place(name) } }) } else { json!({}) }
}

/// The name of the schema of a handler's input.
pub(super) fn of_input(handler: &HandlerDefinition) -> String {
    format!("{}.input", handler.name)
}

/// The name of the schema of a handler's output.
pub(super) fn of_output(handler: &HandlerDefinition) -> String {
    format!("{}.output", handler.name)
}

/// The components that a handler's bodies refer to.
pub(super) fn components(handler: &HandlerDefinition) -> Map<String, Value> {
    let (input, output) = (&handler.input, &handler.output);
    let schemas = [
        (of_input(handler), input.content_type.as_ref().and(input.json_schema.as_deref())),
        (of_output(handler), output.content_type.as_ref().and(output.json_schema.as_deref())),
    ];
    let component = |(name, schema): (String, Option<&str>)| {
        let mut schema = serde_json::from_str(schema?).ok()?;
        relocate(&mut schema, &place(&name));
        Some((name, schema))
    };
    schemas.into_iter().filter_map(component).collect()
}

fn place(name: &str) -> String {
    format!("#/components/schemas/{name}")
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
