use serde_json::json;

use super::*;

fn compiled(schema: &Value) -> InputSchema {
    InputSchema::compile(&schema.to_string()).unwrap()
}

fn wrong(schema: &InputSchema, input: &Value) -> String {
    schema.check(input.to_string().as_bytes()).unwrap_err().to_string()
}

fn order() -> InputSchema {
    compiled(&json!({
        "type": "object",
        "required": ["items"],
        "properties": {
            "items": { "type": "array", "items": { "$ref": "#/$defs/Item" } },
            "note": { "anyOf": [{ "type": "string" }, { "type": "null" }] },
        },
        "$defs": {
            "Item": {
                "type": "object",
                "required": ["sku", "count"],
                "properties": {
                    "sku": { "type": "string", "pattern": "^[a-z]+-[0-9]+$" },
                    "count": { "type": "integer", "minimum": 1 },
                },
            },
        },
    }))
}

#[test]
fn what_is_wrong_is_named_by_its_path() {
    let order = order();
    let good = json!({ "items": [{ "sku": "x-1", "count": 2 }], "note": null, "more": 1 });
    assert_eq!(order.check(good.to_string().as_bytes()), Ok(()));
    for (input, says) in [
        (json!({ "items": [{ "sku": "x-1", "count": "2" }] }), "at '/items/0/count': "),
        (json!({ "items": [{ "sku": "x-1", "count": 0 }] }), "at '/items/0/count': "),
        (json!({ "items": [{ "sku": "X", "count": 1 }] }), "at '/items/0/sku': "),
        (json!({ "items": [{ "count": 1 }] }), "at '/items/0': missing properties 'sku'"),
        (json!({ "items": [], "note": 7 }), "at '/note': "),
        (json!([]), "want object, but got array"),
    ] {
        let wrong = wrong(&order, &input);
        assert!(wrong.contains(says), "{wrong}");
    }
    let not_json = order.check(b"{\"items\":").unwrap_err().to_string();
    assert!(not_json.starts_with("it is not JSON: EOF while parsing"), "{not_json}");
    assert!(order.check(b"").is_err(), "nothing is not JSON either");
}

#[test]
fn what_cannot_be_enforced_is_refused_with_the_reason() {
    let refused = |schema: Value| InputSchema::compile(&schema.to_string()).unwrap_err();
    let outside = |reference: &str| SchemaError::Outside(reference.to_owned());
    let remote = "https://example.com/schema.json";
    assert_eq!(refused(json!({ "$ref": remote })), outside(remote));
    assert_eq!(refused(json!({ "items": { "$ref": "file:///x" } })), outside("file:///x"));
    assert_eq!(refused(json!({ "$ref": "#anchor" })), outside("#anchor"));
    let missing = SchemaError::Missing("#/$defs/No".to_owned());
    assert_eq!(refused(json!({ "allOf": [{ "$ref": "#/$defs/No" }] })), missing);
    assert_eq!(refused(json!({ "$ref": "#" })), SchemaError::Endless);
    let circle = json!({ "anyOf": [{ "$ref": "#/$defs/A" }], "$defs": { "A": { "$ref": "#" } } });
    assert_eq!(refused(circle), SchemaError::Endless);
    assert!(matches!(refused(json!({ "type": "strin" })), SchemaError::Invalid(_)));
    // What only backtracking could find would take exponential time.
    for (pattern, reason) in [
        ("(", "unclosed group"),
        ("(a)\\1", "backreferences are not supported"),
        ("^(?=x)", "look-around, including look-ahead and look-behind, is not supported"),
    ] {
        let says = format!("its pattern '{pattern}' cannot be used: {reason}");
        assert_eq!(refused(json!({ "items": { "pattern": pattern } })).to_string(), says);
        assert_eq!(refused(json!({ "patternProperties": { pattern: {} } })).to_string(), says);
    }
    let draft = refused(json!({ "$schema": "https://example.com/own" })).to_string();
    assert!(draft.contains("'https://example.com/own', which is none of the drafts"), "{draft}");
    let invalid = refused(json!({ "properties": { "a": { "minLength": -1 } } })).to_string();
    assert!(
        invalid.starts_with("it is not a valid schema: at '/properties/a/minLength'"),
        "{invalid}"
    );
    assert!(matches!(InputSchema::compile("{"), Err(SchemaError::NotJson(_))));
    let large = json!({ "description": "x".repeat(SCHEMA_BYTES_MAX) });
    assert!(matches!(refused(large), SchemaError::TooLarge(_)));
}

#[test]
fn a_type_that_contains_itself_is_enforced() {
    let tree = compiled(&json!({
        "$ref": "#/$defs/Tree",
        "$defs": {
            "Tree": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": { "type": "string" },
                    "left": { "anyOf": [{ "$ref": "#/$defs/Tree" }, { "type": "null" }] },
                },
            },
        },
    }));
    let nested = |depth, innermost: Value| {
        let tree = (0..depth).fold(innermost, |tree, _| json!({ "name": "x", "left": tree }));
        tree.to_string()
    };
    assert_eq!(tree.check(nested(50, json!({ "name": "x" })).as_bytes()), Ok(()));
    assert!(tree.check(nested(50, json!({ "name": 1 })).as_bytes()).is_err());
    assert_eq!(tree.check(nested(120, json!({ "name": 1 })).as_bytes()), Ok(()), "too deep");
}

/// Each level is looked at twice by each of two alternatives: 2^100 times at the innermost.
#[test]
fn what_would_take_forever_is_left_to_the_sdk() {
    let branch = json!({ "properties": { "x": { "$ref": "#" } }, "required": ["x", "no"] });
    let explosive = compiled(&json!({ "anyOf": [branch, branch, { "type": "integer" }] }));
    let nested = |depth| (0..depth).fold(json!("no"), |value, _| json!({ "x": value })).to_string();
    assert!(explosive.check(nested(5).as_bytes()).is_err(), "a shallow one is checked");
    assert_eq!(explosive.check(nested(100).as_bytes()), Ok(()));
    let wide = compiled(&json!({ "items": { "type": "string" } }));
    let many = |count: usize| format!("[{}1]", "1,".repeat(count));
    assert!(wide.check(many(10_000).as_bytes()).is_err());
    assert_eq!(wide.check(many(400_000).as_bytes()), Ok(()));
    assert_eq!(wide.check(many(INPUT_BYTES_MAX / 2).as_bytes()), Ok(()));
}

#[test]
fn json_that_is_beyond_what_is_parsed_here_is_left_to_the_sdk() {
    let strict = compiled(&json!({ "type": "boolean" }));
    for json in [&*format!("{}{}", "[".repeat(200), "]".repeat(200)), "1e400", r#""\ud800""#] {
        assert_eq!(strict.check(json.as_bytes()), Ok(()), "{json}");
    }
    for other in [&b"1e"[..], b"\"\xff\"", b"[1", b"\"\\x\"", b"true true", b"{1:2}"] {
        let says = strict.check(other).unwrap_err().to_string();
        assert!(says.starts_with("it is not JSON: "), "{says}");
    }
}

#[test]
fn regular_expressions_take_linear_time() {
    let evil = compiled(&json!({ "pattern": "^(a+)+$" }));
    assert!(evil.check(format!("\"{}b\"", "a".repeat(100_000)).as_bytes()).is_err());
}
