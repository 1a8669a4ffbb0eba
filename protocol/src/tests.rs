//! Golden bytes and texts, and round trips for everything that has a wire form.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use crate::{
    AwakeableId, DeploymentId, InvocationId, PartitionKey, ProtocolVersion, TerminalFailure,
    ids::{Derivation, IdParseError},
    journal::{
        Awaiting, CallRequest, Combinator, Command, Entry, InvocationTarget, NamedCommand,
        Notification, NotificationId, NotificationKind, NotificationResult, awaiting::Outcome,
        notification::SignalId,
    },
    wire::{
        self, MessageType, WireError,
        control::{AwaitingOn, End, RunAck, RunProposal, Start, Suspension},
        frame::{Frame, FrameDecoder},
    },
};

fn raw(hex: &str) -> Vec<u8> {
    let hex: String = hex.chars().filter(|c| !c.is_whitespace()).collect();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    frame.encode(&mut bytes);
    bytes.to_vec()
}

fn frame_of(entry: Entry) -> Frame {
    Frame::new(entry.ty, entry.body)
}

fn id() -> InvocationId {
    let bytes = raw("1f4d8c320d5cfea9 f8894d2f244340b3bdaa556a90363cf1");
    InvocationId::from_raw(&bytes).unwrap()
}

#[test]
fn ids_have_the_open_protocols_text() {
    let zeros = format!("inv_1{}", "0".repeat(33));
    for (hex, text) in [
        (
            "1f4d8c320d5cfea9 f8894d2f244340b3bdaa556a90363cf1",
            "inv_1eAS3AChqzzp7lcFqTjabFv7s8xboBbeDm",
        ),
        (
            "0001020304050607 08090a0b0c0d0e0f1011121314151617",
            "inv_10BnVMHtxjjO0HyUJWli0aN6NpK3xqX1zy",
        ),
        (&"ff".repeat(24), "inv_1lYGhA16ahyf7N42dgm5tFLK9N8MT7fHC7"),
        (&"00".repeat(24), &zeros),
    ] {
        let id = InvocationId::from_raw(&raw(hex)).unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(text.parse::<InvocationId>().unwrap(), id);
    }
    let deployment = DeploymentId(0x01a2_0189_75d7_bbe4_fdce_8e14_23b9_5f09);
    assert_eq!(deployment.to_string(), "dp_10hGFWI4dsYpavChkqM6zqp");
    assert_eq!("dp_10hGFWI4dsYpavChkqM6zqp".parse(), Ok(deployment));
    let awakeable = AwakeableId { invocation: id(), signal: 17 };
    assert_eq!(awakeable.to_string(), "sign_1H02MMg1c_qn4iU0vJENAs72qVWqQNjzxAAAAEQ");
    let padded = format!("{awakeable}==");
    assert_eq!(padded.parse(), Ok(awakeable), "some SDKs pad");
}

#[test]
fn derived_ids_are_those_of_the_real_server() {
    let greet = Derivation::Plain.idempotency_key(None, "Greeter", "", "greet", "k2");
    assert_eq!(greet.uuid.to_be_bytes().to_vec(), raw("03e28c4b00970f274b77e769c2808d79"));
    let signup = Derivation::Plain.workflow(None, "Signup", "u1");
    assert_eq!(signup.to_string(), "inv_1jkk5Pppv5gg261fvsMf0rl4keL2QuVYRa");
}

#[test]
fn ids_derived_with_a_secret_follow_from_it_and_from_every_part() {
    let secret = Derivation::Secret([7; 32]);
    let greet = secret.idempotency_key(None, "Greeter", "", "greet", "k2");
    // HMAC-SHA256, key of 32 times 7: computed with Python's hmac.
    assert_eq!(greet.uuid.to_be_bytes().to_vec(), raw("aa1ff773ccf43818c65c3a1f19665c73"));
    assert_eq!(greet.partition_key, PartitionKey::of_key("k2"), "routing stays as it is");
    let signup = secret.workflow(None, "Signup", "u1");
    assert_eq!(signup.uuid.to_be_bytes().to_vec(), raw("e7a2206cee8dfd0882705b07a5ad262c"));
    let mut seen = std::collections::BTreeSet::new();
    for derivation in [Derivation::Plain, secret, Derivation::Secret([8; 32])] {
        seen.insert(derivation.workflow(None, "Signup", "u1").uuid);
        seen.insert(derivation.idempotency_key(None, "Greeter", "", "greet", "k2").uuid);
    }
    assert_eq!(seen.len(), 6);
}

#[test]
fn names_with_commas_do_not_collide_under_a_secret() {
    let names = |derivation: Derivation| {
        let key = |scope, service, key, handler, idempotency_key| {
            derivation.idempotency_key(scope, service, key, handler, idempotency_key).uuid
        };
        std::collections::BTreeSet::from([
            derivation.workflow(None, "a,b", "c").uuid,
            derivation.workflow(None, "a", "b,c").uuid,
            derivation.workflow(Some("a"), "b", "c").uuid,
            key(None, "a", "", "b", "c,d"),
            key(None, "a", "", "b,c", "d"),
            key(None, "a", "b", "c", "d"),
            key(Some("a"), "b", "", "c", "d"),
        ])
    };
    assert_eq!(names(Derivation::Secret([7; 32])).len(), 7);
    assert_eq!(names(Derivation::Plain).len(), 2, "older directories keep it");
}

#[test]
fn a_secret_is_not_shown() {
    let secret = Derivation::Secret([7; 32]);
    assert_eq!(format!("{secret:?}"), "Secret(..)");
    assert_ne!(secret.fingerprint(), Derivation::Secret([8; 32]).fingerprint());
    assert_eq!(Derivation::Plain.fingerprint(), None);
}

#[test]
fn what_is_not_an_id_is_named() {
    let parse = |text: &str| text.parse::<InvocationId>().unwrap_err();
    assert_eq!(parse("dp_1"), IdParseError::Prefix { expected: "inv" });
    assert_eq!(parse("inv_2x"), IdParseError::Version('2'));
    assert_eq!(parse("inv_1x"), IdParseError::Length { expected: 33, actual: 1 });
    assert_eq!(parse(&format!("inv_1{}", "-".repeat(33))), IdParseError::Digit('-'));
    assert_eq!(parse(&format!("inv_1{}", "Z".repeat(33))), IdParseError::OutOfRange);
    assert!("sign_1!".parse::<AwakeableId>().is_err());
}

fn value(text: &'static str) -> NotificationResult {
    NotificationResult::Value(Bytes::from_static(text.as_bytes()))
}

fn notified(kind: NotificationKind, id: NotificationId, result: NotificationResult) -> Frame {
    let notification = Notification { kind, id, result };
    frame_of(wire::notification::encode(&notification, ProtocolVersion::V7))
}

fn commanded(command: Command) -> Frame {
    frame_of(wire::command::encode(&command.into(), ProtocolVersion::V7))
}

#[test]
fn frames_have_the_open_protocols_bytes() {
    let cancel = NotificationId::Signal(SignalId::Index(1));
    let waiting = Awaiting::any_of(vec![NotificationId::Completion(1), cancel.clone()]);
    let start = Start {
        id: id(),
        debug_id: "inv_dbg".to_owned(),
        known_entries: 1,
        state: vec![(Bytes::from("count"), Bytes::from("1"))],
        partial_state: false,
        key: "k1".to_owned(),
        retry_count: 0,
        duration_since_last_entry_ms: 0,
        random_seed: 5,
        scope: None,
        limit_key: None,
        idempotency_key: None,
    };
    let named = NamedCommand { name: "s1".to_owned(), command: Command::Run { completion: 1 } };
    let proposal = RunProposal { completion: 1, result: Ok(Bytes::from("1")), ack_requested: true };
    let failure = TerminalFailure::new(409, "Cancelled");
    for (frame, hex) in [
        (
            start.encode(),
            "0000000000000037 0a181f4d8c320d5cfea9f8894d2f244340b3bdaa556a90363cf1
             1207696e765f646267 1801 220a0a05636f756e74120131 32026b31 4805",
        ),
        (
            commanded(Command::Input { headers: Vec::new(), value: Bytes::from("\"bob\"") }),
            "0400000000000009 72070a0522626f6222",
        ),
        (
            commanded(Command::Output { result: Ok(Bytes::from("\"Hello bob\"")) }),
            "040100000000000f 720d0a0b2248656c6c6f20626f6222",
        ),
        (End.encode(), "0003000000000000"),
        (
            Suspension { awaiting: waiting.clone() }.encode(ProtocolVersion::V6),
            "0001000000000006 0a0101 120101",
        ),
        (
            Suspension { awaiting: waiting.clone() }.encode(ProtocolVersion::V7),
            "000100000000000a 2208 0a0101 120101 2801",
        ),
        (
            AwaitingOn { awaiting: waiting, executing_side_effects: false }.encode(),
            "000600000000000a 0a08 0a0101 120101 2801",
        ),
        (
            notified(
                NotificationKind::Sleep,
                NotificationId::Completion(1),
                NotificationResult::Void,
            ),
            "800c000000000004 0801 2200",
        ),
        (
            frame_of(wire::command::encode(&named, ProtocolVersion::V7)),
            "0411000000000006 5801 62027331",
        ),
        (proposal.encode(ProtocolVersion::V7), "0005800000000005 0801 720131"),
        (RunAck { completion: 1 }.encode(), "0007000000000002 0801"),
        (
            notified(NotificationKind::Run, NotificationId::Completion(1), value("1")),
            "8011000000000007 0801 2a030a0131",
        ),
        (
            notified(NotificationKind::Signal, cancel, NotificationResult::Void),
            "fbff000000000004 1001 2200",
        ),
        (
            notified(
                NotificationKind::Signal,
                NotificationId::Signal(SignalId::Index(17)),
                value("\"ok\""),
            ),
            "fbff00000000000a 1011 2a060a04226f6b22",
        ),
        (
            notified(
                NotificationKind::CallInvocationId,
                NotificationId::Completion(1),
                NotificationResult::InvocationId("inv_1x".to_owned()),
            ),
            "800e00000000000b 0801 820106696e765f3178",
        ),
        (
            notified(
                NotificationKind::GetLazyStateKeys,
                NotificationId::Completion(1),
                NotificationResult::StateKeys(vec![Bytes::from("a"), Bytes::from("b")]),
            ),
            "800600000000000b 0801 8a0106 0a0161 0a0162",
        ),
        (
            commanded(Command::Output { result: Err(failure) }),
            "0401000000000010 7a0e 089903 120943616e63656c6c6564",
        ),
    ] {
        assert_eq!(encoded(&frame), raw(hex), "{:?}", frame.ty);
    }
}

#[test]
fn a_tree_wakes_when_it_is_decided_and_when_only_user_code_can_decide() {
    let leaf = |n| NotificationId::Completion(n);
    let node = |combinator, leaves: &[u32], nested| {
        Awaiting::node(combinator, leaves.iter().map(|n| leaf(*n)).collect(), nested)
    };
    let known = |succeeded: &'static [u32], failed: &'static [u32]| {
        move |id: &NotificationId| match id {
            NotificationId::Completion(n) if succeeded.contains(n) => Outcome::Success,
            NotificationId::Completion(n) if failed.contains(n) => Outcome::Failure,
            NotificationId::Completion(_) | NotificationId::Signal(_) => Outcome::Pending,
        }
    };
    let any = node(Combinator::FirstSucceededOrAllFailed, &[2, 3], Vec::new());
    let all = node(Combinator::AllSucceededOrFirstFailed, &[1], vec![any]);
    assert!(!all.is_resolved(&mut known(&[1], &[2])));
    assert!(all.is_resolved(&mut known(&[1, 3], &[2])));
    assert!(all.is_resolved(&mut known(&[], &[1])));
    assert!(all.is_resolved(&mut known(&[], &[2, 3])));
    let every = node(Combinator::AllCompleted, &[1, 2], Vec::new());
    assert!(!every.is_resolved(&mut known(&[1], &[])));
    assert!(every.is_resolved(&mut known(&[1], &[2])));
    let mapped = node(Combinator::Unknown, &[2], Vec::new());
    let unknown = node(Combinator::AllCompleted, &[1], vec![mapped]);
    assert!(unknown.is_resolved(&mut known(&[2], &[])), "user code must look at it");
    assert!(!unknown.is_resolved(&mut known(&[1], &[])));
}

#[test]
fn frames_over_the_limit_are_refused_by_their_header() {
    let mut decoder = FrameDecoder::new(10);
    decoder.push(Bytes::from(raw("040100000000000b")));
    let refused = decoder.next().unwrap_err();
    assert!(matches!(refused, WireError::TooLarge { length_bytes: 11, limit_bytes: 10, .. }));
}

#[test]
fn versions_meet_at_the_newest_common_one() {
    use ProtocolVersion as V;
    assert_eq!(V::negotiate(5, 7, V::V7), Some(V::V7));
    assert_eq!(V::negotiate(5, 7, V::V6), Some(V::V6));
    assert_eq!(V::negotiate(1, 5, V::V7), Some(V::V5));
    assert_eq!(V::negotiate(5, 99, V::V7), Some(V::V7));
    assert_eq!(V::negotiate(1, 4, V::V7), None);
    assert_eq!(V::negotiate(8, 9, V::V7), None);
    assert_eq!(V::from_content_type("application/vnd.restate.invocation.v6"), Some(V::V6));
    assert_eq!(V::from_content_type("application/vnd.restate.invocation.v6; q=1"), None);
}

fn bytes() -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn failure() -> impl Strategy<Value = TerminalFailure> {
    let pairs = proptest::collection::vec((".{0,8}", ".{0,8}"), 0..3);
    (any::<u32>(), ".{0,20}", pairs).prop_map(|(code, message, metadata)| TerminalFailure {
        code,
        message,
        metadata,
    })
}

fn result() -> impl Strategy<Value = Result<Bytes, TerminalFailure>> {
    prop_oneof![bytes().prop_map(Ok), failure().prop_map(Err)]
}

fn signal() -> impl Strategy<Value = SignalId> {
    prop_oneof![any::<u32>().prop_map(SignalId::Index), ".{1,8}".prop_map(SignalId::Name)]
}

fn request() -> impl Strategy<Value = CallRequest> {
    let optional = || proptest::option::of(".{0,8}");
    let headers = proptest::collection::vec((".{0,8}", ".{0,8}"), 0..3);
    (".{0,8}", ".{0,8}", ".{0,8}", bytes(), headers, optional(), optional(), optional()).prop_map(
        |(service, handler, key, parameter, headers, idempotency_key, scope, limit_key)| {
            CallRequest {
                service,
                handler,
                key,
                parameter,
                headers,
                idempotency_key,
                scope,
                limit_key,
            }
        },
    )
}

fn target() -> impl Strategy<Value = InvocationTarget> {
    let scope = || proptest::option::of(".{0,8}");
    prop_oneof![
        ".{0,8}".prop_map(InvocationTarget::Id),
        (".{0,8}", ".{0,8}", ".{0,8}", ".{0,8}", scope()).prop_map(
            |(service, key, handler, idempotency_key, scope)| InvocationTarget::Idempotent {
                service,
                key,
                handler,
                idempotency_key,
                scope,
            }
        ),
        (".{0,8}", ".{0,8}", scope()).prop_map(|(name, key, scope)| InvocationTarget::Workflow {
            name,
            key,
            scope
        }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let id = any::<u32>;
    let signalled = || {
        prop_oneof![
            Just(NotificationResult::Void),
            bytes().prop_map(NotificationResult::Value),
            failure().prop_map(NotificationResult::Failure),
        ]
    };
    prop_oneof![
        (proptest::collection::vec((".{0,8}", ".{0,8}"), 0..3), bytes())
            .prop_map(|(headers, value)| Command::Input { headers, value }),
        result().prop_map(|result| Command::Output { result }),
        (bytes(), id()).prop_map(|(key, completion)| Command::GetLazyState { key, completion }),
        (bytes(), bytes()).prop_map(|(key, value)| Command::SetState { key, value }),
        bytes().prop_map(|key| Command::ClearState { key }),
        Just(Command::ClearAllState),
        id().prop_map(|completion| Command::GetLazyStateKeys { completion }),
        (bytes(), proptest::option::of(bytes()))
            .prop_map(|(key, value)| Command::GetEagerState { key, value }),
        proptest::collection::vec(bytes(), 0..4)
            .prop_map(|keys| Command::GetEagerStateKeys { keys }),
        (".{0,8}", id()).prop_map(|(key, completion)| Command::GetPromise { key, completion }),
        (".{0,8}", id()).prop_map(|(key, completion)| Command::PeekPromise { key, completion }),
        (".{0,8}", result(), id()).prop_map(|(key, result, completion)| {
            Command::CompletePromise { key, result, completion }
        }),
        (any::<u64>(), id()).prop_map(|(wake_up_time_ms, completion)| Command::Sleep {
            wake_up_time_ms,
            completion
        }),
        (request(), id(), id()).prop_map(
            |(request, invocation_id_completion, result_completion)| Command::Call {
                request,
                invocation_id_completion,
                result_completion
            }
        ),
        (request(), any::<u64>(), id()).prop_map(
            |(request, invoke_time_ms, invocation_id_completion)| Command::OneWayCall {
                request,
                invoke_time_ms,
                invocation_id_completion
            }
        ),
        (".{0,8}", signal(), signalled())
            .prop_map(|(target, signal, result)| Command::SendSignal { target, signal, result }),
        id().prop_map(|completion| Command::Run { completion }),
        (target(), id())
            .prop_map(|(target, completion)| Command::AttachInvocation { target, completion }),
        (target(), id())
            .prop_map(|(target, completion)| Command::GetInvocationOutput { target, completion }),
        (".{0,8}", result()).prop_map(|(id, result)| Command::CompleteAwakeable { id, result }),
    ]
}

fn asked(command: &Command) -> [Option<u32>; 2] {
    match command {
        Command::Call { invocation_id_completion, result_completion, .. } => {
            [Some(*invocation_id_completion), Some(*result_completion)]
        }
        Command::OneWayCall { invocation_id_completion, .. } => {
            [Some(*invocation_id_completion), None]
        }
        Command::GetLazyState { completion, .. }
        | Command::GetLazyStateKeys { completion }
        | Command::GetPromise { completion, .. }
        | Command::PeekPromise { completion, .. }
        | Command::CompletePromise { completion, .. }
        | Command::Sleep { completion, .. }
        | Command::Run { completion }
        | Command::AttachInvocation { completion, .. }
        | Command::GetInvocationOutput { completion, .. } => [None, Some(*completion)],
        Command::Input { .. }
        | Command::Output { .. }
        | Command::SetState { .. }
        | Command::ClearState { .. }
        | Command::ClearAllState
        | Command::GetEagerState { .. }
        | Command::GetEagerStateKeys { .. }
        | Command::SendSignal { .. }
        | Command::CompleteAwakeable { .. } => [None, None],
    }
}

proptest! {
    #[test]
    fn commands_survive_the_wire(name in ".{0,8}", command in command()) {
        // An empty key and no key are the same on the wire.
        let named = NamedCommand { name, command };
        let entry = wire::command::encode(&named, ProtocolVersion::V7);
        prop_assert!(entry.ty.is_command());
        prop_assert_eq!(wire::command::completions(&entry), asked(&named.command));
        prop_assert_eq!(wire::command::decode(&entry).unwrap(), named);
    }

    #[test]
    fn failures_lose_their_metadata_below_v6_and_nothing_else(failure in failure()) {
        let notification = Notification {
            kind: NotificationKind::Call,
            id: NotificationId::Completion(1),
            result: NotificationResult::Failure(failure.clone()),
        };
        let seen = |version| {
            let entry = wire::notification::encode(&notification, version);
            wire::notification::decode(&entry).unwrap().result
        };
        let bare = TerminalFailure { metadata: Vec::new(), ..failure.clone() };
        prop_assert_eq!(seen(ProtocolVersion::V5), NotificationResult::Failure(bare));
        prop_assert_eq!(seen(ProtocolVersion::V6), NotificationResult::Failure(failure));
    }

    #[test]
    fn frames_survive_any_split(
        bodies in proptest::collection::vec(bytes(), 1..6),
        cuts in proptest::collection::vec(1..20usize, 0..60),
    ) {
        let frames: Vec<Frame> =
            bodies.into_iter().map(|body| Frame::new(MessageType::OUTPUT_COMMAND, body)).collect();
        let mut stream = BytesMut::new();
        frames.iter().for_each(|frame| frame.encode(&mut stream));
        let mut stream = stream.freeze();
        let mut decoder = FrameDecoder::new(1000);
        let mut decoded = Vec::new();
        for cut in cuts.into_iter().chain([usize::MAX]) {
            decoder.push(stream.split_to(cut.min(stream.len())));
            while let Some(frame) = decoder.next().unwrap() {
                decoded.push(frame);
            }
        }
        prop_assert!(decoder.is_empty());
        prop_assert_eq!(decoded, frames);
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(ty in any::<u16>(), body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let entry = Entry { ty: MessageType(ty), body: body.clone().into() };
        let _ = wire::command::decode(&entry);
        let _ = wire::notification::decode(&entry);
        let frame = Frame::new(MessageType(ty % 8), body.clone().into());
        let _ = Start::decode(&frame);
        let _ = Suspension::decode(&frame, ProtocolVersion::V7);
        let _ = RunProposal::decode(&frame);
        let mut decoder = FrameDecoder::new(1000);
        decoder.push(body.into());
        while let Ok(Some(_)) = decoder.next() {}
    }

    #[test]
    fn ids_survive_their_text(partition_key in any::<u64>(), uuid in any::<u128>(), signal in any::<u32>()) {
        let id = InvocationId { partition_key: PartitionKey(partition_key), uuid };
        prop_assert_eq!(id.to_string().parse::<InvocationId>().unwrap(), id);
        let awakeable = AwakeableId { invocation: id, signal };
        prop_assert_eq!(awakeable.to_string().parse::<AwakeableId>().unwrap(), awakeable);
        prop_assert_eq!(DeploymentId(uuid).to_string().parse(), Ok(DeploymentId(uuid)));
    }

    #[test]
    fn no_text_makes_an_id_parser_panic(text in "(inv|dp|sign)_?1?.{0,40}") {
        let _ = text.parse::<InvocationId>();
        let _ = text.parse::<DeploymentId>();
        let _ = text.parse::<AwakeableId>();
    }
}

mod awaiting;
mod names;

#[test]
fn manifests_are_asked_for_by_exact_content_types() {
    let accept = "application/vnd.restate.endpointmanifest.v4+json, \
                  application/vnd.restate.endpointmanifest.v3+json, \
                  application/vnd.restate.endpointmanifest.v2+json";
    assert_eq!(crate::discovery::ACCEPT, accept);
    let version = crate::discovery::version_of;
    assert_eq!(version("application/vnd.restate.endpointmanifest.v3+json"), Some(3));
    assert_eq!(version("application/vnd.restate.endpointmanifest.v1+json"), None);
}
