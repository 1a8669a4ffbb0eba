//! How much work it takes to check a value: at most so many steps for each of its parts, and so many
//! nested calls, depending on how deep the value is.
//!
//! Most schemas look at each part of a value a few times. But one that is recursive through several
//! alternatives looks at a part that is `n` levels deep up to `2^n` times, and so a few bytes could
//! take forever.

use serde_json::Value;

use super::{
    SchemaError,
    graph::{Graph, Node},
};

/// The deepest value: JSON that is nested deeper is not parsed.
const DEPTH_MAX: usize = 128;
/// The deepest nesting of calls that a check may take: some megabytes of stack.
const NESTING_MAX: u64 = 200;
/// How often a byte may be looked at in the time of a step. A pattern looks at it once for each of
/// its states, at worst.
const SCANS_PER_STEP: u64 = 100;
/// How many pairs of items may be compared in the time of a step.
const PAIRS_PER_STEP: u64 = 16;
/// At this depth, what is found wrong takes twice the memory that it takes at the top, because of its
/// path.
const PATH_DEPTH: u64 = 16;

/// What it costs to check one part of a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cost {
    /// For each part.
    pub(super) steps: u64,
    /// For each byte of its texts and names.
    pub(super) scans: u64,
    /// For each pair of its items.
    pub(super) pairs: u64,
    /// Nested calls.
    nesting: u64,
}

impl Cost {
    /// One call, that looks at it once.
    pub(super) const fn once() -> Self {
        Self { steps: 1, scans: 1, pairs: 0, nesting: 1 }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            steps: self.steps.saturating_add(other.steps),
            scans: self.scans.saturating_add(other.scans),
            pairs: self.pairs.saturating_add(other.pairs),
            nesting: self.nesting.max(other.nesting),
        }
    }

    fn max(self, other: Self) -> Self {
        Self {
            steps: self.steps.max(other.steps),
            scans: self.scans.max(other.scans),
            pairs: self.pairs.max(other.pairs),
            nesting: self.nesting.max(other.nesting),
        }
    }
}

/// For each depth of a value, the effort that one of its parts takes at most.
#[derive(Debug)]
pub(super) struct Effort(Vec<Cost>);

/// The effort that a value takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) steps: u64,
    pub(super) nesting: u64,
}

impl Effort {
    /// The effort to check values against a schema.
    ///
    /// # Errors
    /// Returns an error if the schema refers to itself in a circle.
    pub(super) fn of(Graph { nodes, .. }: &Graph) -> Result<Self, SchemaError> {
        let order = order(nodes)?;
        let mut per_depth = Vec::with_capacity(DEPTH_MAX + 1);
        let mut below = vec![Cost::default(); nodes.len()];
        for _ in 0..=DEPTH_MAX {
            let mut here = vec![Cost::default(); nodes.len()];
            for &at in &order {
                here[at] = cost(&nodes[at], &here, &below);
            }
            // The root is the first.
            per_depth.extend(here.first().copied());
            below = here;
        }
        Ok(Self(per_depth))
    }

    /// What checking a value takes, unless its nesting is out of bounds.
    pub(super) fn to_check(&self, value: &Value) -> Option<Load> {
        let Extent { parts, bytes, depth, longest } = extent(value);
        let each = self.0.get(depth).filter(|each| each.nesting <= NESTING_MAX)?;
        let pairs = parts.saturating_mul(longest).saturating_mul(each.pairs) / PAIRS_PER_STEP;
        let steps = parts
            .saturating_mul(each.steps)
            .saturating_add(bytes.saturating_mul(each.scans) / SCANS_PER_STEP)
            .saturating_add(pairs);
        let steps = steps.saturating_mul(PATH_DEPTH + depth as u64) / PATH_DEPTH;
        Some(Load { steps, nesting: each.nesting })
    }
}

fn cost(node: &Node, here: &[Cost], below: &[Cost]) -> Cost {
    let same = node.same.iter().map(|at| here[*at]);
    let parts = node.parts.iter().map(|at| below[*at]);
    let most = |set: &Vec<usize>| set.iter().map(|at| below[*at]).fold(Cost::default(), Cost::max);
    let all = same.chain(parts).chain(node.either.iter().map(most));
    let inner = all.fold(Cost::default(), Cost::plus);
    let nesting = node.own.nesting + inner.nesting;
    Cost { nesting, ..node.own.plus(inner) }
}

/// The schemas in an order in which each comes after those that apply to the same value.
fn order(nodes: &[Node]) -> Result<Vec<usize>, SchemaError> {
    let mut waits_for: Vec<usize> = nodes.iter().map(|node| node.same.len()).collect();
    let mut needed_by = vec![Vec::new(); nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
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
    if order.len() == nodes.len() { Ok(order) } else { Err(SchemaError::Endless) }
}

/// How large a value is.
#[derive(Default)]
struct Extent {
    parts: u64,
    /// Of its texts and names.
    bytes: u64,
    depth: usize,
    /// The number of items of the longest array.
    longest: u64,
}

impl Extent {
    fn with(self, part: Self) -> Self {
        Self {
            parts: self.parts + part.parts,
            bytes: self.bytes + part.bytes,
            depth: self.depth.max(part.depth + 1),
            longest: self.longest.max(part.longest),
        }
    }
}

/// Its depth is bounded by the parser.
fn extent(value: &Value) -> Extent {
    let one = Extent { parts: 1, ..Extent::default() };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => one,
        Value::String(text) => Extent { bytes: text.len() as u64, ..one },
        Value::Array(items) => {
            let array = Extent { longest: items.len() as u64, ..one };
            items.iter().map(extent).fold(array, Extent::with)
        }
        Value::Object(fields) => {
            let bytes = fields.keys().map(|name| name.len() as u64).sum();
            fields.values().map(extent).fold(Extent { bytes, ..one }, Extent::with)
        }
    }
}
