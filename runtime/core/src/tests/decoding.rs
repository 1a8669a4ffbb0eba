//! Whatever a log has accepted stays readable: events are decoded again on every fold, so a check
//! added to decoding can keep a node from starting after an upgrade. New checks belong in the
//! Attempt.

use super::support::*;
use crate::{
    event::{Event, Record, Rules},
    model::ids::Lsn,
};

/// A number in the encoding that postcard and protobuf share.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

/// A length-delimited protobuf field.
fn field(tag: u64, value: &[u8]) -> Vec<u8> {
    [varint(tag << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

/// A varint protobuf field.
fn number(tag: u64, value: u64) -> Vec<u8> {
    [varint(tag << 3), varint(value)].concat()
}

/// The bytes of a format 1 record in which attempt 1@1 proposes this command, without a callee.
fn proposed(ty: u64, body: &[u8]) -> Vec<u8> {
    let head = [vec![1], 1_000_000_u64.to_be_bytes().to_vec(), vec![2, 1, 1]].concat();
    [head, varint(ty), varint(body.len() as u64), body.to_vec(), vec![0]].concat()
}

/// Odd-looking commands that format 1 accepted, or would have accepted.
fn odd_commands() -> Vec<(&'static str, u64, Vec<u8>)> {
    let value = field(14, &field(1, b"x"));
    vec![
        ("an empty message where nothing is demanded", 0x0405, vec![]),
        ("unknown fields of every kind", 0x0411, {
            let fixed = [varint(90 << 3 | 1), vec![0; 8], varint(91 << 3 | 5), vec![0; 4]].concat();
            [number(11, 3), number(77, 5), field(78, b"?"), fixed].concat()
        }),
        ("an unknown group within a group", 0x0411, {
            let (open, close) = (|tag: u64| varint(tag << 3 | 3), |tag: u64| varint(tag << 3 | 4));
            [number(11, 3), open(80), open(81), close(81), close(80)].concat()
        }),
        ("a completion id of 0", 0x0411, vec![]),
        ("a completion id that does not fit", 0x0411, number(11, u64::MAX)),
        ("a completion id twice: the last counts", 0x0411, [number(11, 3), number(11, 4)].concat()),
        ("a name that is empty and there", 0x0411, [number(11, 3), field(12, b"")].concat()),
        ("a result twice: the last counts", 0x0401, [value, field(15, &[])].concat()),
        ("a failure without anything", 0x0401, field(15, &[])),
        ("a value without content", 0x0401, field(14, &[])),
        ("a state key that is empty", 0x0403, field(3, &[])),
        ("a promise without a name", 0x0409, number(11, 3)),
        ("a sleep until the end of time", 0x040c, [number(1, u64::MAX), number(11, 3)].concat()),
        ("a sleep until nothing", 0x040c, number(11, 3)),
        ("a signal for no id", 0x0410, [field(1, b"who?"), number(2, 0), field(4, &[])].concat()),
        ("a signal of an empty name", 0x0410, [field(3, b""), field(4, &[])].concat()),
        ("an awakeable that is none", 0x0414, [field(1, b"sign_1?"), field(2, &[])].concat()),
        ("an awakeable of signal 1", 0x0414, {
            let id = protocol::AwakeableId { invocation: id(9), signal: 1 };
            [field(1, id.to_string().as_bytes()), field(3, &[])].concat()
        }),
        ("an attach to no id", 0x0412, [field(1, b"inv_1"), number(11, 3)].concat()),
        ("an attach by empty words", 0x0412, [field(3, &[]), number(11, 3)].concat()),
        ("keys of nothing", 0x0408, field(14, &[])),
    ]
}

#[test]
fn a_command_that_was_once_accepted_is_read_and_applied_for_ever() {
    for (what, ty, body) in odd_commands() {
        let bytes = proposed(ty, &body);
        let record =
            Record::decode(Lsn(2), &bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(record.encode(), bytes, "{what}: stored as it came");
        let mut fixture = Fixture::single();
        fixture.rules = Rules::V1;
        let mut invoke = call_workflow(1, "k");
        invoke.service_kind = protocol::ServiceKind::Workflow;
        fixture.apply(invoked(invoke));
        fixture.apply(record.event);
        let commands = fixture.tables().invocation(Lsn(1)).unwrap().commands;
        assert_eq!(commands, 2, "{what}");
    }
}

#[test]
fn an_await_tree_of_any_depth_is_read() {
    // One level is combinator 2, no leaves, one child. Under format 1, the Attempt accepted a
    // hundred of them.
    for depth in [1, 99, 100_000] {
        let head = [vec![1], 1_000_000_u64.to_be_bytes().to_vec(), vec![4, 1, 1]].concat();
        let levels = [2, 0, 1].repeat(depth);
        let leaf = vec![1, 1, 0, 5, 0]; // Any of completion 5.
        let bytes = [head, levels, leaf, vec![7]].concat();
        let record = Record::decode(Lsn(2), &bytes).unwrap();
        assert_eq!(record.encode(), bytes);
        let Event::AttemptSuspended { awaiting, seen: 7, .. } = record.event else {
            panic!("{:?}", record.event)
        };
        assert_eq!(awaiting.nodes().len(), depth + 1);
    }
}
