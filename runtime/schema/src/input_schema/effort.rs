//! How much work it takes to check a value: at most so many steps for each of its parts, and so many
//! nested calls, depending on how deep the value is.
//!
//! Most schemas look at each part of a value a few times. But one that is recursive through several
//! alternatives looks at a part that is `n` levels deep up to `2^n` times, and so a few bytes could
//! take forever.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::SchemaError;

/// The deepest value: JSON that is nested deeper is not parsed.
const DEPTH_MAX: usize = 128;
/// The most steps that a check may take: some hundredths of a second of a thread that other requests
/// wait for. Each step may find something wrong, which is kept in memory until the end.
const STEPS_MAX: u64 = 200_000;
/// The deepest nesting of calls that a check may take, on a stack of 2 MiB.
const NESTING_MAX: u64 = 200;

/// For each depth of a value, the effort that one of its parts takes at most.
#[derive(Debug)]
pub(super) struct Effort(Vec<Cost>);

/// The cost of checking one part of a value.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    steps: u64,
    nesting: u64,
}

impl Effort {
    /// The effort to check values against a schema.
    ///
    /// # Errors
    /// Returns an error if the schema refers to something outside of itself, or in a circle.
    pub(super) fn of(schema: &Value) -> Result<Self, SchemaError> {
        let graph = Graph::of(schema)?;
        let order = graph.order()?;
        let mut per_depth = Vec::with_capacity(DEPTH_MAX + 1);
        let mut below = vec![Cost::default(); graph.nodes.len()];
        for _ in 0..=DEPTH_MAX {
            let mut here = vec![Cost::default(); graph.nodes.len()];
            for &at in &order {
                here[at] = graph.nodes[at].cost(&here, &below);
            }
            // The root is the first.
            per_depth.extend(here.first().copied());
            below = here;
        }
        Ok(Self(per_depth))
    }

    /// Whether a value can be checked within bounds.
    pub(super) fn is_bearable(&self, value: &Value) -> bool {
        let (parts, depth) = extent(value);
        self.0.get(depth).is_some_and(|each| {
            each.nesting <= NESTING_MAX && parts.saturating_mul(each.steps) <= STEPS_MAX
        })
    }
}

/// The number of parts of a value, and how deep they are nested. Its depth is bounded by the parser.
fn extent(value: &Value) -> (u64, usize) {
    let of_all = |parts: &mut dyn Iterator<Item = &Value>| {
        parts
            .map(extent)
            .fold((1, 0), |(parts, depth), (more, deeper)| (parts + more, depth.max(deeper + 1)))
    };
    match value {
        Value::Array(items) => of_all(&mut items.iter()),
        Value::Object(fields) => of_all(&mut fields.values()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (1, 0),
    }
}

/// A schema within a schema, and which others apply together with it.
#[derive(Default)]
struct Node {
    /// Steps of its own.
    own: u64,
    /// Schemas that apply to the same value.
    same: Vec<usize>,
    /// Schemas that apply to each part of the value.
    parts: Vec<usize>,
    /// Sets of schemas, of which at most one applies to a part.
    either: Vec<Vec<usize>>,
}

impl Node {
    fn cost(&self, here: &[Cost], below: &[Cost]) -> Cost {
        let same = self.same.iter().map(|at| here[*at]);
        let parts = self.parts.iter().map(|at| below[*at]);
        let either = self.either.iter().map(|set| {
            set.iter().map(|at| below[*at]).fold(Cost::default(), |most, cost| Cost {
                steps: most.steps.max(cost.steps),
                nesting: most.nesting.max(cost.nesting),
            })
        });
        let all = same.chain(parts).chain(either);
        let inner = all.fold(Cost::default(), |sum, cost| Cost {
            steps: sum.steps.saturating_add(cost.steps),
            nesting: sum.nesting.max(cost.nesting),
        });
        Cost { steps: self.own.saturating_add(inner.steps), nesting: 1 + inner.nesting }
    }
}

/// All schemas that can apply, the root first.
struct Graph<'a> {
    root: &'a Value,
    nodes: Vec<Node>,
    known: HashMap<*const Value, usize>,
    /// Those whose keywords have not been read yet.
    open: Vec<&'a Value>,
}

impl<'a> Graph<'a> {
    fn of(root: &'a Value) -> Result<Self, SchemaError> {
        let mut graph = Self { root, nodes: Vec::new(), known: HashMap::new(), open: Vec::new() };
        graph.node(root);
        while let Some(schema) = graph.open.pop() {
            let at = graph.node(schema);
            graph.nodes[at] = match schema {
                Value::Object(keywords) => graph.read(schema, keywords)?,
                // What is no schema is refused when it is compiled.
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_) => Node { own: 1, ..Node::default() },
            };
        }
        Ok(graph)
    }

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

    fn read(
        &mut self,
        schema: &'a Value,
        keywords: &'a Map<String, Value>,
    ) -> Result<Node, SchemaError> {
        let is_root = std::ptr::eq(schema, self.root);
        let mut node = Node { own: 1, ..Node::default() };
        for (keyword, value) in keywords {
            match (keyword.as_str(), value) {
                ("$ref", Value::String(reference)) => {
                    let target = self.target(reference)?;
                    node.same.push(self.node(target));
                }
                ("$dynamicRef", _) => return Err(SchemaError::Unsupported("$dynamicRef")),
                ("$recursiveRef", _) => return Err(SchemaError::Unsupported("$recursiveRef")),
                ("$id", Value::String(_)) if !is_root => {
                    return Err(SchemaError::Unsupported("$id within a schema"));
                }
                ("allOf" | "anyOf" | "oneOf", Value::Array(all)) => {
                    node.same.extend(self.all(all));
                }
                ("not" | "if" | "then" | "else", _) => node.same.push(self.node(value)),
                ("dependentSchemas" | "dependencies", Value::Object(named)) => {
                    node.same.extend(self.all(named.values()));
                }
                ("properties", Value::Object(named)) => node.either.push(self.all(named.values())),
                ("items" | "prefixItems", Value::Array(each)) => node.either.push(self.all(each)),
                ("patternProperties", Value::Object(named)) => {
                    node.parts.extend(self.all(named.values()));
                }
                (
                    "items"
                    | "contains"
                    | "propertyNames"
                    | "additionalItems"
                    | "additionalProperties"
                    | "unevaluatedItems"
                    | "unevaluatedProperties",
                    _,
                ) => node.parts.push(self.node(value)),
                // What is compared with each entry.
                ("enum" | "required", Value::Array(entries)) => node.own += entries.len() as u64,
                (_, _) => (),
            }
        }
        Ok(node)
    }

    fn target(&self, reference: &str) -> Result<&'a Value, SchemaError> {
        let outside = || SchemaError::Outside(reference.chars().take(200).collect());
        let pointer = reference.strip_prefix('#').ok_or_else(outside)?;
        if !(pointer.is_empty() || pointer.starts_with('/')) {
            return Err(outside());
        }
        let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8_lossy();
        let missing = || SchemaError::Missing(reference.chars().take(200).collect());
        self.root.pointer(&pointer).ok_or_else(missing)
    }

    /// The schemas in an order in which each comes after those that apply to the same value.
    fn order(&self) -> Result<Vec<usize>, SchemaError> {
        let mut waits_for: Vec<usize> = self.nodes.iter().map(|node| node.same.len()).collect();
        let mut needed_by = vec![Vec::new(); self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            node.same.iter().for_each(|same| needed_by[*same].push(at));
        }
        let ready = waits_for.iter().enumerate().filter(|(_, count)| **count == 0);
        let mut order: Vec<usize> = ready.map(|(at, _)| at).collect();
        let mut next = 0;
        while let Some(&at) = order.get(next) {
            next += 1;
            for &by in &needed_by[at] {
                waits_for[by] -= 1;
                if waits_for[by] == 0 {
                    order.push(by);
                }
            }
        }
        if order.len() == self.nodes.len() { Ok(order) } else { Err(SchemaError::Endless) }
    }
}
