//! Messages between partitions: sequence numbers, duplicates, acknowledgements.

use bytes::Bytes;
use protocol::{
    HandlerKind, InvocationId, PartitionKey, ServiceKind,
    journal::{CallRequest, Command},
};

use super::support::*;
use crate::{
    effect::Effect,
    event::Event,
    model::{
        ids::PartitionId,
        invocation::{Callee, Invoke, Retention},
        message::Message,
    },
    obligations,
    tables::walk::Budget,
};

fn far(n: u128) -> InvocationId {
    InvocationId { partition_key: PartitionKey(u64::MAX), uuid: n }
}

fn sent(fixture: &Fixture) -> Vec<(u64, Message)> {
    let mut sent = Vec::new();
    for effect in &fixture.effects {
        if let Effect::Send { sequence, message, .. } = effect {
            sent.push((*sequence, message.clone()));
        }
    }
    sent
}

#[test]
fn a_call_to_another_partition_and_back() {
    let (mut here, mut there) = (Fixture::new(0, 2), Fixture::new(1, 2));
    let created = here.apply(invoked(call(1)));
    let caller = attempt(created, created);
    let request = CallRequest {
        service: "Greeter".into(),
        handler: "greet".into(),
        key: String::new(),
        parameter: Bytes::new(),
        headers: Vec::new(),
        idempotency_key: None,
        scope: None,
        limit_key: None,
    };
    let callee = Callee {
        id: far(2),
        service_kind: ServiceKind::Service,
        handler_kind: HandlerKind::Service,
        retention: Retention::default(),
        random_seed: 1,
    };
    let call = Command::Call { request, invocation_id_completion: 1, result_completion: 2 };
    here.apply(command_for(caller, call, Some(callee)));
    let messages = sent(&here);
    assert_eq!(messages.len(), 1);
    let deliver = |from: u16, (sequence, message): (u64, Message)| Event::MessageReceived {
        from: PartitionId(from),
        sequence,
        message,
    };
    let arrived = there.apply(deliver(0, messages[0].clone()));
    assert_eq!(there.effects(), "start 1@1 Greeter/greet entries=1 state=[] retries=0\nack 0 #1");
    // Redelivered after a crash of the sender: recognised as a duplicate and only acknowledged
    // again.
    there.apply(deliver(0, messages[0].clone()));
    assert_eq!(there.effects(), "ack 0 #1");
    let owed = |here: &mut Fixture| {
        let budget = Budget { rows_max: 10, bytes_max: usize::MAX };
        obligations::messages_to(&here.tables(), PartitionId(1), 0, budget).0.len()
    };
    assert_eq!(owed(&mut here), 1);
    here.apply(Event::MessagesAcknowledged { by: PartitionId(1), sequence: 1 });
    assert_eq!(owed(&mut here), 0);
    let name = attempt(arrived, arrived);
    there.apply(output(name, "hi"));
    there.apply(ended(name));
    let answers = sent(&there);
    here.effects();
    here.apply(deliver(1, answers[0].clone()));
    assert_eq!(here.effects(), "notify 1@1 [3] Call c2\nack 1 #1");
}

#[test]
fn what_overtakes_a_lost_message_counts_when_it_comes_again_behind_it() {
    let mut there = Fixture::new(1, 2);
    let mut comes = |sequence: u64| {
        let message = Message::Invoke(Box::new(Invoke { id: far(sequence.into()), ..call(1) }));
        there.apply(Event::MessageReceived { from: PartitionId(0), sequence, message });
        there.effects()
    };
    assert_eq!(comes(2), "ack 0 #0");
    assert!(comes(1).starts_with("start "), "the first");
    assert!(comes(2).starts_with("start "), "the second, now");
    assert_eq!(comes(1), "ack 0 #2");
}
