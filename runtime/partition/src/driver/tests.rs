//! The bounds of a turn: what it adds, and what waits for a checkpoint.

use std::sync::Mutex;

use protocol::{
    InvocationId, PartitionKey, ProtocolVersion, ServiceKind, Target,
    ids::Derivation,
    journal::{Command, NamedCommand},
    wire,
};
use runtime_core::{
    event::ProposedCommand,
    model::{
        ids::{AttemptRef, RequestId},
        invocation::{Invoke, Retention, Source, Status},
    },
};
use runtime_log::{ManualLog, sim_disk::SimDisk};
use runtime_store::sim_backend::SimBackend;

use super::*;
use crate::{
    Node,
    checkpoint::OnDone,
    node::Parts,
    test_support::{Nobody, Still},
};

/// Checkpoints that are written when the test says so.
#[derive(Default)]
struct Later(Mutex<Vec<(runtime_store::Checkpoint, OnDone)>>);

impl Checkpoints for Later {
    fn run(&self, job: runtime_store::Checkpoint, done: OnDone) {
        self.0.lock().unwrap().push((job, done));
    }
}

impl Later {
    fn write(&self) {
        let (job, done) = self.0.lock().unwrap().pop().expect("a checkpoint was started");
        done(job.run());
    }
}

struct Rig {
    node: Node,
    log: Arc<ManualLog<SimDisk>>,
    checkpoints: Arc<Later>,
}

impl Rig {
    fn new(settings: Settings) -> Self {
        let log = Arc::new(ManualLog::open(SimDisk::default(), 64 << 20).unwrap());
        let checkpoints = Arc::new(Later::default());
        let parts = Parts {
            stores: vec![Store::open_backend(SimBackend::default(), 0, 1).unwrap()],
            log: Arc::clone(&log) as _,
            clock: Arc::new(Still::default()),
            derivation: Derivation::Plain,
            checkpoints: Arc::clone(&checkpoints) as _,
            observer: None,
            settings,
        };
        let node = Node::recover(parts, |_| Arc::new(Nobody)).unwrap();
        Self { node, log, checkpoints }
    }

    fn driver(&mut self) -> &mut Driver {
        &mut self.node.drivers_mut()[0]
    }

    /// Runs a turn with these events and makes it durable; returns how many records it added.
    fn turn(&mut self, events: Vec<Event>) -> u64 {
        let before = self.driver().applied();
        events.into_iter().for_each(|event| self.driver().inbox.force_event(event));
        assert_ne!(self.driver().turn(Duration::ZERO), Turn::Failed);
        self.log.commit();
        self.driver().applied().0 - before.0
    }

    fn has_ended(&mut self, lsn: u64) -> bool {
        let row = self.driver().tables(|tables| tables.invocation(Lsn(lsn))).unwrap();
        matches!(row.status, Status::Completed { .. })
    }
}

fn invoked(n: u128, input_bytes: usize) -> Event {
    let value = vec![7; input_bytes].into();
    let input = NamedCommand::from(Command::Input { headers: Vec::new(), value });
    Event::Invoked(Box::new(Invoke {
        id: InvocationId { partition_key: PartitionKey(0), uuid: n },
        target: Target::new("Greeter", "", "greet"),
        service_kind: ServiceKind::Service,
        handler_kind: protocol::HandlerKind::Service,
        source: Source::IngressSend { request: RequestId(1) },
        input: wire::command::encode(&input, ProtocolVersion::MAX),
        start_at: None,
        idempotency_key: None,
        scope: None,
        limit_key: None,
        retention: Retention { completion_ms: 1 << 40, journal_ms: 1 << 40 },
        random_seed: 1,
    }))
}

/// An invocation that was created by the record with this number runs its first attempt.
fn attempt(lsn: u64) -> AttemptRef {
    AttemptRef { invocation: Lsn(lsn), attempt: Lsn(lsn) }
}

fn command(attempt: AttemptRef, command: Command) -> Event {
    let entry = wire::command::encode(&NamedCommand::from(command), ProtocolVersion::MAX);
    let command = ProposedCommand::decode(entry).unwrap();
    Event::CommandProposed { attempt, command, callee: None }
}

fn output(lsn: u64, bytes: usize) -> Event {
    command(attempt(lsn), Command::Output { result: Ok(vec![7; bytes].into()) })
}

fn ended(lsn: u64) -> Event {
    Event::AttemptEnded { attempt: attempt(lsn) }
}

#[test]
fn a_turn_ends_when_it_has_added_enough_and_the_next_one_goes_on() {
    let mut rig = Rig::new(Settings { added_bytes_max: 100_000, ..Settings::default() });
    let events = (1..=4).map(|n| invoked(n, 60_000)).collect();
    assert_eq!(rig.turn(events), 2);
    assert_eq!(rig.driver().counts.turns_cut, 1);
    assert_eq!([rig.turn(Vec::new()), rig.turn(Vec::new())], [2, 0], "the others, in order");
    let third = rig.driver().tables(|tables| tables.invocation(Lsn(3))).unwrap();
    assert_eq!(third.id.uuid, 3);
}

/// Whatever was applied is held in memory until the log has written it.
#[test]
fn nothing_is_applied_while_too_much_is_on_its_way_to_disk() {
    let mut rig = Rig::new(Settings { added_bytes_max: 50_000, ..Settings::default() });
    rig.driver().inbox.force_event(invoked(1, 200_000));
    rig.driver().turn(Duration::ZERO);
    rig.driver().inbox.force_event(invoked(2, 10));
    rig.driver().turn(Duration::ZERO);
    assert_eq!(rig.driver().applied(), Lsn(1));
    rig.log.commit();
    rig.driver().turn(Duration::ZERO);
    assert_eq!(rig.driver().applied(), Lsn(2));
}

#[test]
fn what_brings_large_rows_waits_for_a_checkpoint_and_small_events_do_not() {
    let mut rig = Rig::new(Settings { overlay_bytes_max: 300_000, ..Settings::default() });
    rig.turn(vec![invoked(1, 10), invoked(2, 10), invoked(3, 10)]);
    rig.turn((1..=3).map(|lsn| output(lsn, 200_000)).collect());
    // While a checkpoint is being written, the overlay reaches its limit again.
    rig.turn(vec![invoked(4, 400_000)]);
    assert!(rig.driver().schedule.is_running());
    assert_eq!(rig.turn(vec![ended(1), ended(2), ended(3), invoked(5, 10)]), 2, "one may come");
    assert_eq!([1, 2, 3].map(|lsn| rig.has_ended(lsn)), [true, false, false]);
    assert_eq!(rig.driver().counts.set_aside, 2);
    // Its own attempt does not overtake it.
    assert_eq!(rig.turn(vec![output(3, 1), invoked(6, 10)]), 1);
    // Not even if there is memory again in the middle of a turn.
    rig.driver().schedule.finished(0);
    let left = rig.driver().apply(Vec::new(), vec![output(3, 1)], usize::MAX);
    assert_eq!((left.len(), rig.driver().counts.set_aside), (0, 4));
    rig.driver().schedule.started();
    rig.checkpoints.write();
    rig.turn(Vec::new());
    assert!(rig.has_ended(2), "and another one after each checkpoint");
    while !rig.has_ended(3) {
        rig.turn(Vec::new());
        rig.checkpoints.write();
    }
}
