//! Records in, views out.

use protocol::{
    HandlerKind, InvocationId, PartitionKey, ServiceKind, Target, TerminalFailure, ids::Derivation,
    journal::Entry, wire::MessageType,
};
use runtime_core::{
    Lsn, Partition, PartitionId,
    event::{Event, Record},
    model::{
        ids::{AttemptRef, RequestId},
        invocation::{AfterFailure, AttemptFailure, Invoke, Retention, Source, Status, StatusKind},
    },
    tables::{Empty, Overlay, Tables},
    time::Stamp,
};

use crate::{
    View,
    invocation::{List, One},
    result::{PinOf, Result, Seen, StatusOf},
};

#[derive(Default)]
struct World {
    live: Overlay,
    applied: u64,
    stamp_ms: u64,
}

impl World {
    fn apply(&mut self, event: Event) -> Lsn {
        self.applied += 1;
        self.stamp_ms += 1;
        let record = Record::new(Lsn(self.applied), Stamp(self.stamp_ms * 1000), event);
        let partition = Partition { id: PartitionId(0), count: 1, derivation: Derivation::Plain };
        let mut tables = Tables::new(&mut self.live, &Empty);
        partition.apply(&mut tables, &record, &mut Vec::new());
        record.lsn
    }

    fn invoke(&mut self, uuid: u128) -> Lsn {
        self.apply(Event::Invoked(Box::new(Invoke {
            id: id(uuid),
            target: Target::new("Greeter", "", "greet"),
            service_kind: ServiceKind::Service,
            handler_kind: HandlerKind::Service,
            source: Source::IngressSend { request: RequestId(1) },
            input: Entry { ty: MessageType::INPUT_COMMAND, body: Vec::new().into() },
            start_at: None,
            idempotency_key: None,
            scope: None,
            limit_key: None,
            retention: Retention { completion_ms: 1000, journal_ms: 1000 },
            random_seed: 1,
        })))
    }

    /// Its only attempt fails with a long message, and so it ends or waits.
    fn fail(&mut self, lsn: Lsn, next: AfterFailure) {
        let failure = AttemptFailure {
            code: 500,
            error_code: None,
            message: "no ".repeat(1000),
            stacktrace: String::new(),
            related_command: None,
        };
        let attempt = AttemptRef { invocation: lsn, attempt: lsn };
        self.apply(Event::AttemptFailed { attempt, failure, next });
    }

    fn see<V: View>(&mut self, view: V) -> V::Seen {
        view.see(&Tables::new(&mut self.live, &Empty))
    }
}

fn id(uuid: u128) -> InvocationId {
    InvocationId { partition_key: PartitionKey(0), uuid }
}

#[test]
fn a_list_goes_on_where_it_has_stopped_whatever_comes_and_ends_meanwhile() {
    let mut world = World::default();
    let lsns: Vec<Lsn> = (1..=5).map(|uuid| world.invoke(uuid)).collect();
    let list = |after| List {
        statuses: vec![StatusKind::Running, StatusKind::Paused],
        after,
        rows_max: 2,
        text_bytes_max: 100,
    };
    let first = world.see(list(Lsn(0)));
    assert_eq!(first.rest_after, Some(lsns[1]));
    world.fail(lsns[2], AfterFailure::Fail(TerminalFailure::new(409, "enough")));
    world.fail(lsns[3], AfterFailure::Pause);
    let second = world.see(list(lsns[1]));
    let statuses: Vec<_> = second.invocations.iter().map(|(lsn, it)| (*lsn, it.status)).collect();
    assert_eq!(statuses, [(lsns[3], StatusKind::Paused), (lsns[4], StatusKind::Running)]);
    let last = world.see(list(lsns[4]));
    assert!(last.invocations.is_empty() && last.rest_after.is_none());
}

#[test]
fn one_invocation_is_shown_with_as_much_of_its_texts_as_is_asked_for() {
    let mut world = World::default();
    let lsn = world.invoke(1);
    world.fail(lsn, AfterFailure::Fail(TerminalFailure::new(409, "enough")));
    let shown = world.see(One { id: id(1), text_bytes_max: 200 }).unwrap();
    assert_eq!((shown.target.as_str(), shown.status), ("Greeter/greet", StatusKind::Completed));
    assert_eq!(shown.completion_failure.as_deref(), Some("[409] enough"));
    let message = shown.last_failure.unwrap().message;
    assert!(message.len() <= 200 && message.ends_with("[cut: this was 3000 bytes]"), "{message}");
    assert_eq!(world.see(One { id: id(2), text_bytes_max: 200 }), None);
}

#[test]
fn a_result_is_read_only_when_it_is_small_enough_and_until_it_expires() {
    let mut world = World::default();
    assert!(matches!(world.see(Result { id: id(1), bytes_max: 9 }), Seen::Nothing));
    let lsn = world.invoke(1);
    assert!(matches!(world.see(Result { id: id(1), bytes_max: 9 }), Seen::UnderWay(..)));
    world.fail(lsn, AfterFailure::Fail(TerminalFailure::new(409, "enough")));
    assert!(matches!(world.see(Result { id: id(1), bytes_max: 5 }), Seen::EndedWith(6)));
    assert!(matches!(world.see(Result { id: id(1), bytes_max: 6 }), Seen::Ended(..)));
    assert!(matches!(world.see(StatusOf(id(1))), Some(Status::Completed { .. })));
    assert_eq!(world.see(PinOf(id(1))), None, "it never reached a deployment");
    // A second later it stands there still, and counts as absent.
    world.stamp_ms += 1001;
    world.invoke(2);
    assert!(matches!(world.see(Result { id: id(1), bytes_max: 6 }), Seen::Nothing));
    assert_eq!(world.see(StatusOf(id(1))), None);
}
