//! Await trees: the maximum depth, on a default thread stack, in a single pass.

use bytes::Bytes;
use proptest::prelude::*;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::{
    ProtocolVersion,
    journal::{
        Awaiting, Combinator, NotificationId,
        awaiting::{Evaluation, Outcome},
        notification::SignalId,
    },
    wire::{
        AWAITING_DEPTH_MAX, MessageType, WireError,
        control::{AwaitingOn, Suspension},
        frame::Frame,
    },
};

const COMBINATORS: [Combinator; 5] = [
    Combinator::Unknown,
    Combinator::FirstCompleted,
    Combinator::AllCompleted,
    Combinator::FirstSucceededOrAllFailed,
    Combinator::AllSucceededOrFirstFailed,
];

/// A suspension with `depth` nested nodes and completion 1 as its leaf, as another SDK would encode
/// it.
fn nested_bytes(depth: usize) -> Bytes {
    let mut body = vec![0x0a, 1, 1];
    for _ in 0..depth {
        let mut outer = Vec::new();
        encode_key(4, WireType::LengthDelimited, &mut outer);
        encode_varint(body.len() as u64, &mut outer);
        outer.extend(body);
        body = outer;
    }
    body.into()
}

fn on_a_threads_stack(work: impl FnOnce() + Send + 'static) {
    // The default stack size of tokio and std threads.
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_tree_may_be_as_deep_as_upstreams_and_no_deeper() {
    on_a_threads_stack(|| {
        let frame = Frame::new(MessageType::SUSPENSION, nested_bytes(AWAITING_DEPTH_MAX));
        let decoded = Suspension::decode(&frame, ProtocolVersion::V7).unwrap();
        let tree = decoded.awaiting.clone();
        assert_eq!(tree.nodes().len(), AWAITING_DEPTH_MAX);
        assert!(!tree.is_resolved(&mut |_| Outcome::Pending));
        assert!(tree.is_resolved(&mut |_| Outcome::Success));
        assert_eq!(decoded.encode(ProtocolVersion::V7), frame);
        let shown = AwaitingOn { awaiting: tree, executing_side_effects: true };
        assert_eq!(AwaitingOn::decode(&shown.encode()), Ok(shown));

        let frame = Frame::new(MessageType::SUSPENSION, nested_bytes(AWAITING_DEPTH_MAX + 1));
        let refused = Suspension::decode(&frame, ProtocolVersion::V7).unwrap_err();
        assert_eq!(refused, WireError::TooDeep { ty: frame.ty, limit: 1000 });
        // A frame full of levels is rejected at the first level too many.
        let frame = Frame::new(MessageType::SUSPENSION, nested_bytes(20_000));
        assert!(Suspension::decode(&frame, ProtocolVersion::V7).is_err());
    });
}

#[test]
fn a_tree_of_too_many_parts_is_refused() {
    let flat = |leaves| {
        let leaves = (0..leaves).map(NotificationId::Completion).collect();
        Suspension { awaiting: Awaiting::any_of(leaves) }.encode(ProtocolVersion::V7)
    };
    assert!(Suspension::decode(&flat(1 << 20), ProtocolVersion::V7).is_ok());
    let refused = Suspension::decode(&flat((1 << 20) + 1), ProtocolVersion::V7).unwrap_err();
    assert!(matches!(refused, WireError::TooManyParts { .. }), "{refused}");
}

fn leaf() -> impl Strategy<Value = NotificationId> {
    prop_oneof![
        4 => (1..8u32).prop_map(NotificationId::Completion),
        1 => (1..3u32).prop_map(|index| NotificationId::Signal(SignalId::Index(index))),
        1 => "[a-c]".prop_map(|name| NotificationId::Signal(SignalId::Name(name))),
    ]
}

fn tree() -> impl Strategy<Value = Awaiting> {
    let combinator = || (0..COMBINATORS.len()).prop_map(|at| COMBINATORS[at]);
    let leaves = || proptest::collection::vec(leaf(), 0..4);
    let node = (combinator(), leaves()).prop_map(|(c, leaves)| Awaiting::node(c, leaves, vec![]));
    node.prop_recursive(4, 20, 4, move |inner| {
        (combinator(), leaves(), proptest::collection::vec(inner, 0..4))
            .prop_map(|(c, leaves, nested)| Awaiting::node(c, leaves, nested))
    })
}

/// The recursive form of the tree, which also matches the persisted bytes.
#[derive(Debug, PartialEq)]
struct Nested {
    combinator: Combinator,
    leaves: Vec<NotificationId>,
    nested: Vec<Nested>,
}

fn nest(nodes: &mut std::slice::Iter<'_, crate::journal::awaiting::Node>) -> Nested {
    let node = nodes.next().unwrap();
    Nested {
        combinator: node.combinator,
        leaves: node.leaves.clone(),
        nested: (0..node.nested).map(|_| nest(nodes)).collect(),
    }
}

/// A direct, recursive implementation of the rule.
fn decide(node: &Nested, outcome: &dyn Fn(&NotificationId) -> Outcome) -> Result<Outcome, ()> {
    let mut children: Vec<Outcome> = node.leaves.iter().map(outcome).collect();
    for nested in &node.nested {
        children.push(decide(nested, outcome)?);
    }
    let any = |outcome| children.contains(&outcome);
    if any(Outcome::Either) {
        return Err(());
    }
    let (success, failure) = (any(Outcome::Success), any(Outcome::Failure));
    let all = !children.is_empty() && !any(Outcome::Pending);
    Ok(match node.combinator {
        Combinator::Unknown if success || failure => return Err(()),
        Combinator::FirstCompleted if success && failure => return Err(()),
        Combinator::FirstCompleted if success => Outcome::Success,
        Combinator::FirstCompleted if failure => Outcome::Failure,
        Combinator::AllCompleted if all => Outcome::Success,
        Combinator::FirstSucceededOrAllFailed if success => Outcome::Success,
        Combinator::FirstSucceededOrAllFailed if all => Outcome::Failure,
        Combinator::AllSucceededOrFirstFailed if failure => Outcome::Failure,
        Combinator::AllSucceededOrFirstFailed if all => Outcome::Success,
        Combinator::Unknown
        | Combinator::FirstCompleted
        | Combinator::AllCompleted
        | Combinator::FirstSucceededOrAllFailed
        | Combinator::AllSucceededOrFirstFailed => Outcome::Pending,
    })
}

proptest! {
    /// In whatever order notifications arrive, the incremental evaluation agrees with an evaluation
    /// of the whole tree, and both agree with the direct implementation.
    #[test]
    fn asking_again_is_asking_anew(
        tree in tree(),
        arrivals in proptest::collection::vec((leaf(), any::<bool>()), 0..20),
    ) {
        let nested = nest(&mut tree.nodes().iter());
        let mut known = std::collections::BTreeMap::new();
        let outcome = |known: &std::collections::BTreeMap<_, _>, id: &NotificationId| {
            known.get(id).copied().unwrap_or(Outcome::Pending)
        };
        let mut evaluation = Evaluation::begin(&tree, &mut |id| outcome(&known, id));
        prop_assert!(evaluation.is_some(), "nothing has arrived");
        for (id, is_success) in arrivals {
            let next = match (outcome(&known, &id), is_success) {
                (Outcome::Pending | Outcome::Success, true) => Outcome::Success,
                (Outcome::Pending | Outcome::Failure, false) => Outcome::Failure,
                _ => Outcome::Either,
            };
            known.insert(id.clone(), next);
            let is_resolved = tree.is_resolved(&mut |id| outcome(&known, id));
            let plainly = decide(&nested, &|id| outcome(&known, id));
            prop_assert_eq!(is_resolved, plainly != Ok(Outcome::Pending));
            let anew = Evaluation::begin(&tree, &mut |id| outcome(&known, id));
            prop_assert_eq!(anew.is_none(), is_resolved);
            let Some(under_way) = &mut evaluation else { break };
            prop_assert_eq!(under_way.learn(&id, next), is_resolved);
            if is_resolved {
                evaluation = None;
            }
        }
    }

    #[test]
    fn trees_survive_the_wire(tree in tree()) {
        let frame = Suspension { awaiting: tree.clone() }.encode(ProtocolVersion::V7);
        let read = Suspension::decode(&frame, ProtocolVersion::V7).unwrap();
        // Decoding reorders the leaves by field, which does not change the meaning.
        prop_assert_eq!(read.encode(ProtocolVersion::V7), frame);
        prop_assert_eq!(read.awaiting.nodes().len(), tree.nodes().len());
        let mut leaves = [&tree, &read.awaiting].map(|tree| tree.all_leaves().collect::<Vec<_>>());
        leaves.iter_mut().for_each(|leaves| leaves.sort());
        prop_assert_eq!(&leaves[0], &leaves[1]);
    }

    #[test]
    fn no_bytes_make_the_decoder_of_trees_panic(body in proptest::collection::vec(any::<u8>(), 0..60)) {
        for ty in [MessageType::SUSPENSION, MessageType::AWAITING_ON] {
            let frame = Frame::new(ty, body.clone().into());
            let _ = Suspension::decode(&frame, ProtocolVersion::V7);
            let _ = Suspension::decode(&frame, ProtocolVersion::V5);
            let _ = AwaitingOn::decode(&frame);
        }
    }
}
