//! Await trees as protobuf, encoded and decoded by hand: the library's decoder gives up at a depth
//! of 100, its encoder recomputes the lengths at each level, and both recurse.
//!
//! ```text
//! Future { 1 completions: packed u32 · 2 signals: packed u32 · 3 named signals: string
//!          4 nested: Future · 5 combinator: u32 }
//! ```

use bytes::Bytes;
use prost::encoding::{
    DecodeContext, WireType, bool as boolean, decode_key, decode_varint, encode_key, encode_varint,
    encoded_len_varint, skip_field, string, uint32,
};

use super::{MessageType, WireError};
use crate::journal::{
    Awaiting, Combinator, NotificationId, awaiting::Node, notification::SignalId,
};

/// Maximum depth of an await tree, including its root. The real server's limit.
pub const AWAITING_DEPTH_MAX: usize = 1000;

/// Maximum number of nodes and leaves in an await tree. A frame of the maximum size could hold
/// sixteen million nodes of two bytes each, and a node takes more than twenty times as much memory.
pub const AWAITING_PARTS_MAX: usize = 1 << 20;

const COMPLETIONS: u32 = 1;
const SIGNALS: u32 = 2;
const NAMED_SIGNALS: u32 = 3;
const NESTED: u32 = 4;
const COMBINATOR: u32 = 5;

/// Field of a suspension that holds the tree; the flat form uses the first fields of a node
/// instead.
const SUSPENSION_TREE: u32 = 4;
/// Fields of an awaiting-on message.
const AWAITING_ON_TREE: u32 = 1;
const AWAITING_ON_SIDE_EFFECTS: u32 = 2;

/// Encodes the body of a suspension as a tree.
pub(super) fn encode_suspension(awaiting: &Awaiting) -> Bytes {
    let mut body = Vec::new();
    encode_tree(SUSPENSION_TREE, awaiting, &mut body);
    body.into()
}

/// Encodes the body of a suspension in the flat form: any of the leaves resolves it.
pub(super) fn encode_flat(awaiting: &Awaiting) -> Bytes {
    let mut body = Vec::new();
    Leaves::of(awaiting.all_leaves()).encode(&mut body);
    body.into()
}

/// Encodes the body of an awaiting-on message.
pub(super) fn encode_awaiting_on(awaiting: &Awaiting, executing_side_effects: bool) -> Bytes {
    let mut body = Vec::new();
    encode_tree(AWAITING_ON_TREE, awaiting, &mut body);
    if executing_side_effects {
        boolean::encode(AWAITING_ON_SIDE_EFFECTS, &true, &mut body);
    }
    body.into()
}

/// Decodes a suspension: a tree if `has_tree`, otherwise a flat node.
pub(super) fn decode_suspension(body: &[u8], has_tree: bool) -> Result<Awaiting, WireError> {
    let ty = MessageType::SUSPENSION;
    let (mut flat, mut tree) = (Decoder::default(), None);
    flat.nodes.push(new_node());
    flat.combine(0, 1);
    each_field(ty, body, |tag, wire_type, rest| match tag {
        SUSPENSION_TREE => collect(&mut tree, rest, wire_type),
        _ if has_tree => Ok(skip_field(wire_type, tag, rest, DecodeContext::default())?),
        _ => flat.field(0, tag, wire_type, rest),
    })?;
    match tree {
        _ if !has_tree => Ok(flat.done()),
        Some(tree) => decode_tree(ty, &tree),
        None => Err(WireError::Missing { ty, part: "awaiting tree" }),
    }
}

/// Decodes an awaiting-on message: its tree, and whether side effects are executing.
pub(super) fn decode_awaiting_on(body: &[u8]) -> Result<(Awaiting, bool), WireError> {
    let ty = MessageType::AWAITING_ON;
    let (mut tree, mut side_effects) = (None, false);
    each_field(ty, body, |tag, wire_type, rest| match tag {
        AWAITING_ON_TREE => collect(&mut tree, rest, wire_type),
        AWAITING_ON_SIDE_EFFECTS => {
            Ok(boolean::merge(wire_type, &mut side_effects, rest, DecodeContext::default())?)
        }
        _ => Ok(skip_field(wire_type, tag, rest, DecodeContext::default())?),
    })?;
    let tree = tree.ok_or(WireError::Missing { ty, part: "awaiting tree" })?;
    Ok((decode_tree(ty, &tree)?, side_effects))
}

/// Why a field could not be read; the caller knows which message it is in.
enum Unreadable {
    Malformed(String),
    TooManyParts,
}

impl From<prost::DecodeError> for Unreadable {
    fn from(error: prost::DecodeError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl Unreadable {
    fn of(self, ty: MessageType) -> WireError {
        match self {
            Self::Malformed(reason) => WireError::Malformed { ty, reason },
            Self::TooManyParts => WireError::TooManyParts { ty, limit: AWAITING_PARTS_MAX },
        }
    }
}

fn each_field(
    ty: MessageType,
    mut rest: &[u8],
    mut field: impl FnMut(u32, WireType, &mut &[u8]) -> Result<(), Unreadable>,
) -> Result<(), WireError> {
    while !rest.is_empty() {
        let read = decode_key(&mut rest).map_err(Unreadable::from);
        read.and_then(|(tag, wire_type)| field(tag, wire_type, &mut rest))
            .map_err(|error| error.of(ty))?;
    }
    Ok(())
}

/// Protobuf semantics: a message field that occurs several times is the concatenation of all of
/// them.
fn collect(
    pieces: &mut Option<Vec<u8>>,
    rest: &mut &[u8],
    wire_type: WireType,
) -> Result<(), Unreadable> {
    let piece = delimited(rest, wire_type)?;
    pieces.get_or_insert_default().extend_from_slice(piece);
    Ok(())
}

fn delimited<'a>(rest: &mut &'a [u8], wire_type: WireType) -> Result<&'a [u8], Unreadable> {
    let malformed = |reason: &str| Unreadable::Malformed(reason.to_owned());
    if wire_type != WireType::LengthDelimited {
        return Err(malformed("a nested message has no length"));
    }
    let length = usize::try_from(decode_varint(rest)?).unwrap_or(usize::MAX);
    let Some((piece, behind)) = rest.split_at_checked(length) else {
        return Err(malformed("a nested message is longer than its parent"));
    };
    *rest = behind;
    Ok(piece)
}

fn new_node() -> Node {
    Node { combinator: Combinator::Unknown, leaves: Vec::new(), nested: 0 }
}

fn decode_tree(ty: MessageType, body: &[u8]) -> Result<Awaiting, WireError> {
    let mut decoder = Decoder::default();
    decoder.nodes.push(new_node());
    // Nodes being read, outermost first: the index of each, and its remaining bytes.
    let mut open: Vec<(usize, &[u8])> = vec![(0, body)];
    while let Some((at, rest)) = open.last_mut() {
        let at = *at;
        if rest.is_empty() {
            open.pop();
            continue;
        }
        let read = decode_key(rest).map_err(|error| Unreadable::from(error).of(ty))?;
        match read {
            (NESTED, wire_type) => {
                let nested = delimited(rest, wire_type).map_err(|error| error.of(ty))?;
                if open.len() >= AWAITING_DEPTH_MAX {
                    return Err(WireError::TooDeep { ty, limit: AWAITING_DEPTH_MAX });
                }
                decoder.count(1).map_err(|error| error.of(ty))?;
                decoder.nodes[at].nested += 1;
                open.push((decoder.nodes.len(), nested));
                decoder.nodes.push(new_node());
            }
            (tag, wire_type) => {
                decoder.field(at, tag, wire_type, rest).map_err(|error| error.of(ty))?;
            }
        }
    }
    Ok(decoder.done())
}

#[derive(Default)]
struct Decoder {
    nodes: Vec<Node>,
    parts: usize,
}

impl Decoder {
    /// Reads any field of a node except nested nodes.
    fn field(
        &mut self,
        at: usize,
        tag: u32,
        wire_type: WireType,
        rest: &mut &[u8],
    ) -> Result<(), Unreadable> {
        let context = DecodeContext::default;
        match tag {
            COMPLETIONS | SIGNALS => {
                let mut numbers = Vec::new();
                uint32::merge_repeated(wire_type, &mut numbers, rest, context())?;
                self.count(numbers.len())?;
                let is_completion = tag == COMPLETIONS;
                self.nodes[at].leaves.extend(numbers.into_iter().map(
                    |number| match is_completion {
                        true => NotificationId::Completion(number),
                        false => NotificationId::Signal(SignalId::Index(number)),
                    },
                ));
            }
            NAMED_SIGNALS => {
                let mut name = String::new();
                string::merge(wire_type, &mut name, rest, context())?;
                self.count(1)?;
                self.nodes[at].leaves.push(NotificationId::Signal(SignalId::Name(name)));
            }
            COMBINATOR => {
                let mut number = 0;
                uint32::merge(wire_type, &mut number, rest, context())?;
                self.combine(at, number);
            }
            _ => skip_field(wire_type, tag, rest, context())?,
        }
        Ok(())
    }

    fn combine(&mut self, at: usize, number: u32) {
        self.nodes[at].combinator = match number {
            1 => Combinator::FirstCompleted,
            2 => Combinator::AllCompleted,
            3 => Combinator::FirstSucceededOrAllFailed,
            4 => Combinator::AllSucceededOrFirstFailed,
            _ => Combinator::Unknown,
        };
    }

    fn count(&mut self, parts: usize) -> Result<(), Unreadable> {
        self.parts += parts;
        if self.parts > AWAITING_PARTS_MAX { Err(Unreadable::TooManyParts) } else { Ok(()) }
    }

    fn done(mut self) -> Awaiting {
        // Whatever order the fields arrived in, leaves are sorted by field number.
        self.nodes.iter_mut().for_each(|node| node.leaves.sort_by_key(field_of));
        Awaiting::from_preorder(self.nodes)
    }
}

fn field_of(leaf: &NotificationId) -> u32 {
    match leaf {
        NotificationId::Completion(_) => COMPLETIONS,
        NotificationId::Signal(SignalId::Index(_)) => SIGNALS,
        NotificationId::Signal(SignalId::Name(_)) => NAMED_SIGNALS,
    }
}

/// The leaves of a node, grouped by field.
#[derive(Default)]
struct Leaves<'a> {
    completions: Vec<u32>,
    signals: Vec<u32>,
    names: Vec<&'a String>,
}

impl<'a> Leaves<'a> {
    fn of(leaves: impl Iterator<Item = &'a NotificationId>) -> Self {
        let mut sorted = Self::default();
        for leaf in leaves {
            match leaf {
                NotificationId::Completion(id) => sorted.completions.push(*id),
                NotificationId::Signal(SignalId::Index(index)) => sorted.signals.push(*index),
                NotificationId::Signal(SignalId::Name(name)) => sorted.names.push(name),
            }
        }
        sorted
    }

    fn length(&self) -> usize {
        let names = self.names.iter().map(|name| string::encoded_len(NAMED_SIGNALS, name));
        uint32::encoded_len_packed(COMPLETIONS, &self.completions)
            + uint32::encoded_len_packed(SIGNALS, &self.signals)
            + names.sum::<usize>()
    }

    fn encode(&self, into: &mut Vec<u8>) {
        uint32::encode_packed(COMPLETIONS, &self.completions, into);
        uint32::encode_packed(SIGNALS, &self.signals, into);
        self.names.iter().for_each(|name| string::encode(NAMED_SIGNALS, name, into));
    }
}

fn number_of(combinator: Combinator) -> u32 {
    match combinator {
        Combinator::Unknown => 0,
        Combinator::FirstCompleted => 1,
        Combinator::AllCompleted => 2,
        Combinator::FirstSucceededOrAllFailed => 3,
        Combinator::AllSucceededOrFirstFailed => 4,
    }
}

/// Encodes the tree as a message under `tag`.
fn encode_tree(tag: u32, awaiting: &Awaiting, into: &mut Vec<u8>) {
    let lengths = lengths(awaiting);
    // Nodes with children still to come: how many, and the combinator field that ends the node.
    let mut open: Vec<(usize, u32)> = Vec::new();
    for (node, length) in awaiting.nodes().iter().zip(lengths) {
        encode_key(if open.is_empty() { tag } else { NESTED }, WireType::LengthDelimited, into);
        encode_varint(length as u64, into);
        Leaves::of(node.leaves.iter()).encode(into);
        if let Some((missing, _)) = open.last_mut() {
            *missing -= 1;
        }
        open.push((node.nested, number_of(node.combinator)));
        while let Some((_, combinator)) = open.pop_if(|(missing, _)| *missing == 0) {
            if combinator != 0 {
                uint32::encode(COMBINATOR, &combinator, into);
            }
        }
    }
}

/// The encoded length of each node, including its children.
fn lengths(awaiting: &Awaiting) -> Vec<usize> {
    let nodes = awaiting.nodes();
    let mut lengths = vec![0; nodes.len()];
    // Lengths of subtrees that have no parent yet: the next ones are children of this node.
    let mut below: Vec<usize> = Vec::new();
    for (at, node) in nodes.iter().enumerate().rev() {
        let combinator = number_of(node.combinator);
        let mut length = Leaves::of(node.leaves.iter()).length();
        if combinator != 0 {
            length += uint32::encoded_len(COMBINATOR, &combinator);
        }
        for _ in 0..node.nested {
            // INVARIANT: the nodes form a complete tree.
            let child = below.pop().unwrap_or_default();
            length += 1 + encoded_len_varint(child as u64) + child;
        }
        lengths[at] = length;
        below.push(length);
    }
    lengths
}
