//! Whatever a schema says, checking costs no more than it may: stack, steps, and memory.

use std::thread;

use serde_json::json;

use super::*;

fn compiled(schema: &Value) -> InputSchema {
    InputSchema::compile(&schema.to_string()).unwrap()
}

fn refused(schema: &Value) -> SchemaError {
    InputSchema::compile(&schema.to_string()).unwrap_err()
}

/// An array in an array, and so on.
fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

/// What checking an input costs, if its nesting is within bounds.
fn load(schema: &InputSchema, input: &str) -> Option<Load> {
    schema.effort.to_check(&serde_json::from_str(input).unwrap())
}

fn is_checked(schema: &InputSchema, input: &str) -> bool {
    schema.check_within(input.as_bytes(), INPUT_BYTES_MAX, STEPS_MAX).is_some()
}

/// Two looks at each item of each level: `2^n` looks.
fn explosive(reference: &str) -> Value {
    json!({ "allOf": [{ "items": { "$ref": reference } }, { "items": { "$ref": reference } }] })
}

#[test]
fn a_reference_cannot_jump_over_an_identifier() {
    for identifier in ["$id", "id", "$anchor", "$dynamicAnchor"] {
        let draft = if identifier == "id" {
            "http://json-schema.org/draft-04/schema#"
        } else {
            "https://json-schema.org/draft/2020-12/schema"
        };
        let schema = json!({
            "$schema": draft,
            "allOf": [{ "$ref": "#/definitions/a/definitions/n" }],
            "definitions": {
                "n": {},
                "a": { identifier: "http://x/", "definitions": { "n": explosive("#/definitions/n") } },
            },
        });
        let refused = refused(&schema);
        assert!(matches!(refused, SchemaError::Unsupported(_)), "{identifier}: {refused}");
    }
    let vocabulary = json!({ "items": { "$recursiveAnchor": true } });
    assert_eq!(refused(&vocabulary), SchemaError::Unsupported("$recursiveAnchor"));
}

#[test]
fn a_reference_leads_to_what_the_draft_has_as_a_schema() {
    for (draft, place) in [
        ("https://json-schema.org/draft/2020-12/schema", "x-types"),
        ("https://json-schema.org/draft/2020-12/schema", "enum"),
        ("http://json-schema.org/draft-07/schema#", "$defs"),
        ("http://json-schema.org/draft-04/schema#", "if"),
    ] {
        let pointer = if place == "enum" { "#/enum/0" } else { &format!("#/{place}/a") };
        let hidden = json!({ "$id": "http://x/", "items": {} });
        let mut schema = json!({ "$schema": draft, "items": { "$ref": pointer } });
        schema[place] = if place == "enum" { json!([hidden]) } else { json!({ "a": hidden }) };
        let refused = refused(&schema);
        assert_eq!(refused, SchemaError::NoSchema(pointer.to_owned()), "{place}");
    }
}

#[test]
fn what_only_looks_like_an_identifier_is_allowed() {
    let schema = compiled(&json!({
        "$id": "http://[order",
        "$ref": "#/$defs/Order",
        "$defs": {
            "Order": {
                "id": "Order",
                "type": "object",
                "properties": { "id": { "type": "string" }, "$id": { "const": { "$id": "x" } } },
                "example": { "id": "x", "$id": "y", "$anchor": "z" },
            },
        },
    }));
    assert!(schema.check(br#"{"id":"a","$id":{"$id":"x"}}"#).is_ok());
    assert!(schema.check(br#"{"id":1}"#).is_err());
}

/// At exactly the bound, on a thread with hardly any stack.
#[test]
fn the_deepest_check_has_the_stack_that_it_takes() {
    let through = |keyword: &str| json!({ keyword: [{ "items": { "$ref": "#/$defs/n" } }] });
    let chain = json!({
        "allOf": [{ "anyOf": [{ "oneOf": [{ "if": { "not": { "items": { "$ref": "#/$defs/n" } } } }] }] }],
    });
    let contains = json!({ "contains": { "$ref": "#/$defs/n" } });
    let unevaluated = json!({ "anyOf": [{ "unevaluatedItems": { "$ref": "#/$defs/n" } }] });
    let object = json!({ "properties": { "a": { "$ref": "#/$defs/n" } }, "required": ["b"] });
    let schemas = [
        through("allOf"),
        through("anyOf"),
        through("oneOf"),
        chain,
        contains,
        unevaluated,
        object,
    ];
    for node in schemas {
        let schema = compiled(&json!({ "$ref": "#/$defs/n", "$defs": { "n": node } }));
        let is_object = node.get("properties").is_some();
        let inputs = |depth: usize| {
            if is_object {
                format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))
            } else {
                nested(depth)
            }
        };
        let deepest = (1..120).take_while(|depth| load(&schema, &inputs(*depth)).is_some()).last();
        let input = inputs(deepest.unwrap());
        let value: Value = serde_json::from_str(&input).unwrap();
        let thread = thread::Builder::new().stack_size(512 << 10);
        let check = move || schema.validate(&value, load(&schema, &input).unwrap().nesting);
        // The outcome does not matter: without the stack, this would end the process.
        let _outcome = thread.spawn(check).unwrap().join().unwrap();
    }
}

#[test]
fn the_deepest_schema_is_compiled_on_the_stack_that_it_takes() {
    let deepest = (0..120).fold(json!({ "type": "string" }), |schema, _| json!({ "not": schema }));
    let thread = thread::Builder::new().stack_size(1 << 20);
    thread.spawn(move || compiled(&deepest)).unwrap().join().unwrap();
}

#[test]
fn each_keyword_counts_as_what_it_costs() {
    let names: Vec<_> = (0..1000).map(|n| format!("k{n}")).collect();
    let texts = vec![json!("x".repeat(6400)); 10];
    let items = |each: Value| json!({ "items": each });
    let draft_7 =
        |each: Value| json!({ "$schema": "http://json-schema.org/draft-07/schema", "items": each });
    for (schema, at_least) in [
        (items(json!({ "dependentRequired": { "a": names } })), 1000),
        (items(json!({ "dependencies": { "a": names } })), 1000),
        (items(json!({ "required": names })), 1000),
        (items(json!({ "enum": names })), 1000),
        (items(json!({ "enum": texts })), 1000),
        (items(json!({ "const": { "a": names } })), 1000),
        (items(json!({ "propertyNames": { "required": names } })), 1000),
        (items(json!({ "contains": { "required": names } })), 1000),
        (items(json!({ "unevaluatedProperties": { "required": names } })), 1000),
        (draft_7(json!({ "if": { "required": names } })), 1000),
    ] {
        let Load { steps, .. } = load(&compiled(&schema), r#"[{"a":1}]"#).unwrap();
        assert!(steps >= at_least, "{steps}: {:.60}", schema.to_string());
    }
}

#[test]
fn a_pattern_counts_for_each_byte_that_it_looks_at() {
    let log = compiled(&json!({ "pattern": "^.*a.{200}b$" }));
    let text = |bytes: usize| format!("\"{}\"", "ac".repeat(bytes / 2));
    assert!(is_checked(&log, &text(1000)));
    assert!(!is_checked(&log, &text(100_000)), "it would take tenths of a second");
    let names = compiled(&json!({ "propertyNames": { "pattern": "^.*a.{200}b$" } }));
    assert!(!is_checked(&names, &format!("{{{}:1}}", text(100_000))));
    let names = compiled(&json!({ "patternProperties": { "^.*a.{200}b$": false } }));
    assert!(!is_checked(&names, &format!("{{{}:1}}", text(100_000))));
    let plain = compiled(&json!({ "pattern": "^[a-z]+$", "maxLength": 2_000_000 }));
    assert!(is_checked(&plain, &text(200_000)));
}

/// What hashes alike, such as `[[1],2]` and `[1,[2]]`, is compared with each other.
#[test]
fn items_that_have_to_be_unique_count_as_pairs() {
    let unique = compiled(&json!({ "uniqueItems": true }));
    let many = |count: usize| format!("[{}1]", "[],".repeat(count));
    assert!(is_checked(&unique, &many(500)));
    assert!(!is_checked(&unique, &many(10_000)));
}

#[test]
fn what_is_wrong_deep_inside_counts_for_its_path() {
    let numbers = compiled(&json!({
        "anyOf": [{ "type": "string" }, { "type": "array", "items": { "$ref": "#" } }],
    }));
    let wide = format!("[{}1]", "1,".repeat(10_000));
    let deep = (0..50).fold(wide.clone(), |inner, _| format!("[{inner}]"));
    let steps = |input: &str| load(&compiled(&json!({ "items": {} })), input).unwrap().steps;
    assert!(steps(&deep) > 3 * steps(&wide));
    assert!(!is_checked(&numbers, &deep));
}

#[test]
fn what_is_too_large_once_it_is_compiled_is_refused() {
    let too_complex = |schema: Value| {
        assert_eq!(refused(&schema), SchemaError::TooComplex);
    };
    too_complex(json!({ "pattern": "^.{1,20000}$" }));
    too_complex(json!({ "pattern": "(((a{100}){100}){100}){100}" }));
    // Each class is one more time that all of the pattern is parsed.
    too_complex(json!({ "pattern": "\\d".repeat(2000) }));
    let many = |schema: Value| {
        let named: serde_json::Map<_, _> =
            (0..9000).map(|n| (format!("p{n}"), schema.clone())).collect();
        json!({ "properties": named })
    };
    too_complex(many(json!({})));
    too_complex(json!({ "items": { "patternProperties": { "^.{1,20000}$": true } } }));
    let regex = json!({ "$schema": "http://json-schema.org/draft-07/schema", "format": "regex" });
    assert_eq!(refused(&regex), SchemaError::Unsupported("format: regex"));
}

#[test]
fn what_takes_long_is_not_done_quickly() {
    let schema = compiled(&json!({ "items": { "type": "string" } }));
    let wrong = |count: usize| format!("[{}1]", "1,".repeat(count));
    assert!(matches!(schema.check_quickly(wrong(100).as_bytes()), Some(Err(_))));
    assert!(schema.check_quickly(wrong(5000).as_bytes()).is_none());
    assert!(schema.check_quickly(wrong(100_000).as_bytes()).is_none());
    assert!(schema.check(wrong(5000).as_bytes()).is_err());
}
