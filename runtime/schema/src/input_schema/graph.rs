//! The schemas within a schema, and which of them apply to which part of a value.
//!
//! This is what bounds are computed from, so it has to see a schema as its validator does: what could
//! make a reference lead elsewhere there is refused, and so is a reference to what the validator
//! does not take for a schema to begin with. What is no keyword of the draft is an annotation.

use std::collections::HashMap;

use boon::Draft;
use serde_json::{Map, Value};

use super::{
    COMPILED_BYTES_MAX, SchemaError,
    effort::Cost,
    pattern::{self, Weight},
    shortened,
};

/// What each byte of a text with a `format` counts as.
const FORMAT_SCANS: u64 = 50;
/// What each byte of a value counts as whose parts have to be unique.
const UNIQUE_SCANS: u64 = 20;
/// How many bytes of a text that a value is compared with count as a step.
const COMPARED_BYTES: usize = 64;

/// The size of a schema as it is compiled, in bytes: for each byte of its text, for each schema
/// within it, for each state of its patterns, and for each byte of them that is parsed.
const TEXT_FACTOR: u64 = 16;
const NODE_BYTES: u64 = 2048;
const STATE_BYTES: u64 = 200;
const PARSED_FACTOR: u64 = 8;

/// A schema within a schema, and which others apply together with it.
#[derive(Default)]
pub(super) struct Node {
    /// What it costs by itself.
    pub(super) own: Cost,
    /// Schemas that apply to the same value.
    pub(super) same: Vec<usize>,
    /// Schemas that apply to each part of the value.
    pub(super) parts: Vec<usize>,
    /// Sets of schemas, of which at most one applies to a part.
    pub(super) either: Vec<Vec<usize>>,
}

/// All schemas within a schema, the root first.
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    /// About how large it is once it is compiled, in bytes.
    pub(super) bytes: u64,
}

impl Graph {
    /// Reads a schema whose text has so many bytes.
    ///
    /// # Errors
    /// Returns an error if it has a part that can't be accounted for.
    pub(super) fn of(root: &Value, text_bytes: usize) -> Result<Self, SchemaError> {
        let mut reader = Reader {
            root,
            draft: draft(root)?,
            nodes: Vec::new(),
            known: HashMap::new(),
            open: Vec::new(),
            references: Vec::new(),
            bytes: TEXT_FACTOR * text_bytes as u64,
        };
        reader.node(root);
        while let Some(schema) = reader.open.pop() {
            reader.takes(NODE_BYTES)?;
            let at = reader.node(schema);
            let mut node = Node { own: Cost::once(), ..Node::default() };
            // What is neither an object nor a boolean is refused when it is compiled.
            if let Value::Object(keywords) = schema {
                reader.read(at, &mut node, keywords)?;
            }
            reader.nodes[at] = node;
        }
        reader.resolve()?;
        Ok(Self { nodes: reader.nodes, bytes: reader.bytes })
    }
}

/// The draft of a schema.
pub(super) fn draft(root: &Value) -> Result<Draft, SchemaError> {
    let Some(Value::String(named)) = root.get("$schema") else { return Ok(Draft::V2020_12) };
    let unknown = || SchemaError::Draft(shortened(named));
    Draft::from_url(named.strip_suffix('#').unwrap_or(named)).ok_or_else(unknown)
}

struct Reader<'a> {
    root: &'a Value,
    draft: Draft,
    nodes: Vec<Node>,
    known: HashMap<*const Value, usize>,
    /// Those whose keywords have not been read yet.
    open: Vec<&'a Value>,
    /// Which schema refers where.
    references: Vec<(usize, &'a str)>,
    bytes: u64,
}

impl<'a> Reader<'a> {
    fn node(&mut self, schema: &'a Value) -> usize {
        let next = self.nodes.len();
        let at = *self.known.entry(std::ptr::from_ref(schema)).or_insert(next);
        if at == next {
            self.nodes.push(Node::default());
            self.open.push(schema);
        }
        at
    }

    fn all(&mut self, schemas: impl IntoIterator<Item = &'a Value>) -> Vec<usize> {
        schemas.into_iter().map(|schema| self.node(schema)).collect()
    }

    /// Reads the keywords of a schema: each that the validator implements, and that it costs.
    fn read(
        &mut self,
        at: usize,
        node: &mut Node,
        keywords: &'a Map<String, Value>,
    ) -> Result<(), SchemaError> {
        let (draft, is_root) = (self.draft, at == 0);
        for (keyword, value) in keywords {
            match (keyword.as_str(), value) {
                ("$ref", Value::String(reference)) => self.references.push((at, reference)),
                ("allOf" | "anyOf" | "oneOf", Value::Array(all)) => {
                    node.same.extend(self.all(all));
                }
                ("not", _) => node.same.push(self.node(value)),
                ("if" | "then" | "else", _) if draft >= Draft::V7 => {
                    node.same.push(self.node(value));
                }
                ("dependentSchemas", Value::Object(named)) if draft >= Draft::V2019_09 => {
                    node.same.extend(self.all(named.values()));
                }
                ("dependentRequired", Value::Object(named)) => {
                    node.own.steps += named.values().map(entries).sum::<u64>();
                }
                ("dependencies", Value::Object(named)) => {
                    let (names, schemas): (Vec<_>, Vec<_>) =
                        named.values().partition(|needed| needed.is_array());
                    node.own.steps += names.into_iter().map(entries).sum::<u64>();
                    node.same.extend(self.all(schemas));
                }
                ("properties", Value::Object(named)) => node.either.push(self.all(named.values())),
                ("items", Value::Array(each)) => node.either.push(self.all(each)),
                ("prefixItems", Value::Array(each)) if draft >= Draft::V2020_12 => {
                    node.either.push(self.all(each));
                }
                ("patternProperties", Value::Object(named)) => {
                    named.keys().try_for_each(|pattern| self.pattern(node, pattern))?;
                    node.parts.extend(self.all(named.values()));
                }
                ("items" | "additionalItems" | "additionalProperties", _) => {
                    node.parts.push(self.node(value));
                }
                ("contains" | "propertyNames", _) if draft >= Draft::V6 => {
                    node.parts.push(self.node(value));
                }
                ("unevaluatedItems" | "unevaluatedProperties", _) if draft >= Draft::V2019_09 => {
                    node.parts.push(self.node(value));
                }
                // They hold schemas, but apply none.
                ("definitions", Value::Object(named)) => drop(self.all(named.values())),
                ("$defs", Value::Object(named)) if draft >= Draft::V2019_09 => {
                    self.all(named.values());
                }
                ("contentSchema", _) if draft >= Draft::V2019_09 => drop(self.node(value)),
                ("pattern", Value::String(pattern)) => self.pattern(node, pattern)?,
                ("format", Value::String(format)) if draft < Draft::V2019_09 => {
                    // It takes quadratic time.
                    if format == "regex" {
                        return Err(SchemaError::Unsupported("format: regex"));
                    }
                    node.own.scans += FORMAT_SCANS;
                }
                ("enum" | "const", _) => node.own.steps += compared(value),
                ("required", Value::Array(names)) => node.own.steps += names.len() as u64,
                ("uniqueItems", Value::Bool(true)) => {
                    node.own.pairs += 1;
                    node.own.scans += UNIQUE_SCANS;
                }
                (other, _) => refuse(other, value, draft, is_root)?,
            }
        }
        Ok(())
    }

    fn pattern(&mut self, node: &mut Node, text: &str) -> Result<(), SchemaError> {
        let wrong = |reason| SchemaError::Pattern { pattern: shortened(text), reason };
        let Weight { states, parsed } = pattern::weigh(text).map_err(wrong)?;
        node.own.scans = node.own.scans.saturating_add(states);
        let bytes = states.saturating_mul(STATE_BYTES).saturating_add(PARSED_FACTOR * parsed);
        self.takes(bytes)?;
        pattern::check(text).map_err(wrong)
    }

    /// Counts what is compiled, and stops once it is too much.
    fn takes(&mut self, bytes: u64) -> Result<(), SchemaError> {
        self.bytes = self.bytes.saturating_add(bytes);
        let is_bearable = self.bytes <= COMPILED_BYTES_MAX;
        if is_bearable { Ok(()) } else { Err(SchemaError::TooComplex) }
    }

    /// Follows the references, now that all schemas are known.
    fn resolve(&mut self) -> Result<(), SchemaError> {
        for (at, reference) in &self.references {
            let outside = || SchemaError::Outside(shortened(reference));
            let missing = || SchemaError::Missing(shortened(reference));
            let pointer = reference.strip_prefix('#').ok_or_else(outside)?;
            if !(pointer.is_empty() || pointer.starts_with('/')) {
                return Err(outside());
            }
            let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8();
            let target = pointer.ok().and_then(|pointer| self.root.pointer(&pointer));
            let target = std::ptr::from_ref(target.ok_or_else(missing)?);
            let none = || SchemaError::NoSchema(shortened(reference));
            let target = *self.known.get(&target).ok_or_else(none)?;
            self.nodes[*at].same.push(target);
        }
        Ok(())
    }
}

/// Refuses the keywords that make a reference depend on more than its own text. What is none of
/// them is an annotation, or is checked in a step.
fn refuse(keyword: &str, value: &Value, draft: Draft, is_root: bool) -> Result<(), SchemaError> {
    let unsupported = match keyword {
        "$dynamicRef" => "$dynamicRef",
        "$recursiveRef" => "$recursiveRef",
        "$dynamicAnchor" => "$dynamicAnchor",
        "$recursiveAnchor" => "$recursiveAnchor",
        "$anchor" => "$anchor",
        "$vocabulary" => "$vocabulary",
        // The root's is dropped before it is compiled.
        "$id" if value.is_string() && !is_root => "$id within a schema",
        "id" if value.is_string() && !is_root && draft == Draft::V4 => "id within a schema",
        _ => return Ok(()),
    };
    Err(SchemaError::Unsupported(unsupported))
}

/// The steps to look for each of these names.
fn entries(names: &Value) -> u64 {
    1 + names.as_array().map_or(0, Vec::len) as u64
}

/// The steps to compare a value with this one.
fn compared(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(compared).sum::<u64>(),
        Value::Object(fields) => {
            1 + fields.iter().map(|(name, value)| texts(name) + compared(value)).sum::<u64>()
        }
        Value::String(text) => 1 + texts(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

fn texts(text: &str) -> u64 {
    (text.len() / COMPARED_BYTES) as u64
}
