//! Tests of messages to other partitions.

use bytes::Bytes;
use protocol::{
    HandlerKind, InvocationId, PartitionKey, ServiceKind,
    journal::{CallRequest, Command},
};
use runtime_core::{
    PartitionId,
    event::Event,
    model::{
        invocation::{Callee, Retention},
        message::Message,
    },
};

use super::support::Fixture;
use crate::{
    outbox::{List, Outgoing},
    page::{Budget, Cursor},
};

fn list(to: Option<u16>) -> impl Fn(Option<Cursor>, Budget) -> List {
    move |after, budget| List { to: to.map(PartitionId), after, budget }
}

fn bytes_of(outgoing: &Outgoing) -> usize {
    match &outgoing.message {
        Message::Invoke(invoke) => invoke.input.body.len(),
        Message::Notify { .. }
        | Message::Signal { .. }
        | Message::Attach { .. }
        | Message::Kill { .. }
        | Message::KillCallee { .. }
        | Message::Detach { .. } => 0,
    }
}

/// Sends messages alternately to the second and the third of four partitions.
fn send(fixture: &mut Fixture, count: u32) {
    let lsn = fixture.invoke(1);
    for n in 0..count {
        let partition_key = PartitionKey(u64::from(1 + n % 2) << 62);
        let callee = Callee {
            id: InvocationId { partition_key, uuid: u128::from(n) },
            service_kind: ServiceKind::Service,
            handler_kind: HandlerKind::Service,
            retention: Retention::default(),
            random_seed: 1,
        };
        let request = CallRequest {
            service: "Greeter".to_owned(),
            handler: "greet".to_owned(),
            key: String::new(),
            parameter: Bytes::from(vec![0; n as usize]),
            headers: Vec::new(),
            idempotency_key: None,
            scope: None,
            limit_key: None,
        };
        let invocation_id_completion = n + 1;
        let command = Command::OneWayCall { request, invoke_time_ms: 0, invocation_id_completion };
        fixture.command_for(lsn, command, Some(callee));
        if n % 120 == 0 {
            fixture.freeze();
        }
    }
}

#[test]
fn messages_are_read_in_turns_until_they_are_acknowledged() {
    let mut fixture = Fixture::of_many(4);
    send(&mut fixture, 400);
    let named = |outgoing: &Outgoing| (outgoing.to.0, outgoing.sequence);
    let all = fixture.read_in_turns(list(None), bytes_of);
    let expected = (1..=2).flat_map(|to| (1..=200).map(move |sequence| (to, sequence)));
    assert!(all.iter().map(named).eq(expected));
    let uuids = all.iter().map(|outgoing| outgoing.message.to().uuid);
    assert!(uuids.eq((0..400).step_by(2).chain((1..400).step_by(2))));
    assert_eq!(all[0].sent.at().0, 2, "after the invocation");
    fixture.apply(Event::MessagesAcknowledged { by: PartitionId(2), sequence: 150 });
    let rest = fixture.read_in_turns(list(Some(2)), bytes_of);
    assert!(rest.iter().map(named).eq((151..=200).map(|sequence| (2, sequence))));
    assert_eq!(fixture.read_in_turns(list(None), bytes_of).len(), 250);
    assert_eq!(fixture.read_all(list(Some(3))), []);
    fixture.apply(Event::MessagesAcknowledged { by: PartitionId(2), sequence: 200 });
    assert_eq!(fixture.read_all(list(Some(2))), []);
}
