//! A panic while running an attempt is a failure of that attempt.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::{
    HandlerKind, InvocationId, PartitionKey, ServiceKind, Target,
    ids::Derivation,
    journal::{Entry, EntryIndex},
    wire::MessageType,
};
use runtime_core::{
    PartitionId,
    effect::StartAttempt,
    event::Event,
    model::{
        deployment::StoredDeployment,
        ids::{AttemptRef, RequestId},
        invocation::{Invoke, Pin, Retention, Source, Status, WaitingFor},
    },
    registry::Defaults,
};
use runtime_log::{ManualLog, sim_disk::SimDisk};
use runtime_partition::{
    Clock, Edges, Full, Node, NodeClock, checkpoint::CheckpointThread, driver::Turn, node::Parts,
};
use runtime_schema::SharedRegistry;
use runtime_store::{Store, sim_backend::SimBackend};

use crate::{Invoker, Settings, task};

/// Records the attempts that were started, without running them.
#[derive(Default)]
struct Started(Mutex<Vec<AttemptRef>>);

impl Edges for Started {
    fn may_start(&self, _: &str, _: Option<Pin>, _: usize) -> Result<(), Full> {
        Ok(())
    }

    fn start_attempt(&self, _: PartitionId, start: Box<StartAttempt>) -> Result<(), Full> {
        self.0.lock().unwrap().push(start.attempt);
        Ok(())
    }

    fn attempt_refused(&self, _: Full) {}

    fn send_notification(&self, _: PartitionId, _: AttemptRef, _: EntryIndex, _: Entry) {}

    fn abort_attempt(&self, _: PartitionId, _: AttemptRef) {}

    fn suspend_attempt(&self, _: PartitionId, _: AttemptRef) {}

    fn publish_registry(&self, _: Vec<StoredDeployment>) {}
}

struct Fixture {
    node: Node,
    log: Arc<ManualLog<SimDisk>>,
    started: Arc<Started>,
    invoker: Arc<Invoker>,
}

impl Fixture {
    fn new() -> Self {
        let log = Arc::new(ManualLog::open(SimDisk::default(), 1 << 20).unwrap());
        let started = Arc::new(Started::default());
        let clock: Arc<dyn Clock> = Arc::new(NodeClock::start());
        let parts = Parts {
            stores: vec![Store::open_backend(SimBackend::default(), 0, 1).unwrap()],
            log: Arc::clone(&log) as _,
            clock: Arc::clone(&clock),
            checkpoints: Arc::new(CheckpointThread::spawn().unwrap()),
            observer: None,
            derivation: Derivation::Plain,
            settings: runtime_partition::Settings::default(),
        };
        let edges = Arc::clone(&started);
        let node = Node::recover(parts, |_| edges).unwrap();
        let registry = SharedRegistry::new(Defaults::default());
        let partitions = node.partitions().clone();
        let invoker = {
            let tls = crate::tls::Tls::new(None, None).unwrap();
            Invoker::new(partitions, registry, clock, Settings::default(), &tls)
        };
        Self { node, log, started, invoker }
    }

    /// Runs the driver until it has nothing left to do.
    fn settle(&mut self) {
        while matches!(self.node.drivers_mut()[0].turn(Duration::ZERO), Turn::Worked { .. }) {
            self.log.commit();
        }
    }
}

fn greet() -> Event {
    Event::Invoked(Box::new(Invoke {
        id: InvocationId { partition_key: PartitionKey(1), uuid: 1 },
        target: Target::new("Greeter", "", "greet"),
        service_kind: ServiceKind::Service,
        handler_kind: HandlerKind::Service,
        source: Source::IngressSend { request: RequestId(1) },
        input: Entry { ty: MessageType::INPUT_COMMAND, body: Vec::new().into() },
        start_at: None,
        idempotency_key: None,
        scope: None,
        limit_key: None,
        retention: Retention::default(),
        random_seed: 1,
    }))
}

#[tokio::test]
async fn a_panic_around_an_attempt_is_its_failure() {
    let mut fixture = Fixture::new();
    fixture.node.partitions().propose_now(PartitionId(0), greet());
    fixture.settle();
    let name = fixture.started.0.lock().unwrap()[0];
    let invoker = Arc::clone(&fixture.invoker);
    let guarded = tokio::spawn(async move {
        task::guard(
            &invoker,
            (PartitionId(0), name),
            Box::pin(async { panic!("two and two is five") }),
        )
        .await;
    });
    while !guarded.is_finished() {
        tokio::task::yield_now().await;
        fixture.settle();
        fixture.log.commit();
    }
    fixture.settle();
    let row = fixture.node.drivers_mut()[0].tables(|tables| tables.invocation(name.invocation));
    let row = row.unwrap();
    assert!(matches!(row.status, Status::Waiting(WaitingFor::Retry { .. })), "{:?}", row.status);
    let failure = row.last_failure.unwrap();
    assert!(failure.message.contains("two and two is five"), "{}", failure.message);
}
