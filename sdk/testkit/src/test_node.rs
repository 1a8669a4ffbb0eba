//! The event loop: everything runs until no progress is possible, then time jumps.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

use abide_sdk::Endpoint;
use protocol::{DeploymentId, ProtocolVersion, ids::Derivation};
use runtime_core::{
    attempt::{AttemptOptions, NodeOptions, place},
    effect::StartAttempt,
    event::Event,
    model::ids::RequestId,
    registry::{Defaults, RegistrySnapshot},
};
use runtime_embedded::{EdgeRequest, EmbeddedNode, Media, Pipe, Random, VirtualClock};
use runtime_ingress::{DEFAULT_REQUEST_SIZE_MAX_BYTES, Ingress, LongChecks, Memory};
use runtime_schema::{SharedRegistry, registration};

use crate::{
    attempt::{Stepped, TestAttempt},
    chaos::{Chaos, Happened},
};

/// The only deployment.
const DEPLOYMENT: DeploymentId = DeploymentId(1);

pub(crate) struct TestNode {
    /// `None` only during a crash.
    node: Option<EmbeddedNode>,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) registry: SharedRegistry,
    endpoint: Endpoint,
    version: ProtocolVersion,
    attempts: Vec<TestAttempt>,
    random: Random,
    chaos: Chaos,
    happened: Happened,
    /// Mistakes in handlers' code, by invocation.
    pub(crate) mistakes: BTreeMap<String, String>,
    /// Why the last attempt failed, by invocation.
    pub(crate) failures: BTreeMap<String, String>,
    pub(crate) wakers: Arc<Wakers>,
    /// Number of calls that clients have made.
    pub(crate) calls: u64,
    /// Number of turns and steps that have made progress.
    pub(crate) moves: u64,
    /// Whether the attempts are being polled.
    pub(crate) is_stepping: bool,
    /// Number of crashes.
    epoch: u64,
}

/// The wakers of tasks that wait for the same thing: for a closure to make progress, or for access
/// to the world.
#[derive(Default)]
pub(crate) struct Wakers(Mutex<Vec<Waker>>);

impl Wakers {
    pub(crate) fn add(&self, waker: &Waker) {
        let mut wakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }
}

impl Wakers {
    /// Removes a waker that need not be woken any more.
    pub(crate) fn remove(&self, waker: &Waker) {
        let mut wakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wakers.retain(|known| !known.will_wake(waker));
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        let wakers = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// The attempts, taken out of the world while they are polled.
pub(crate) struct Step {
    attempts: Vec<TestAttempt>,
    random: Random,
    now_ms: u64,
    wakers: Arc<Wakers>,
    epoch: u64,
}

impl Step {
    /// Polls every attempt once, and returns the outcome of each.
    pub(crate) fn poll(&mut self) -> Vec<Stepped> {
        let waker = Waker::from(Arc::clone(&self.wakers));
        let mut cx = Context::from_waker(&waker);
        let (random, now_ms) = (&mut self.random, self.now_ms);
        self.attempts.iter_mut().map(|attempt| attempt.step(now_ms, random, &mut cx)).collect()
    }
}

impl TestNode {
    pub(crate) fn new(
        endpoint: Endpoint,
        clock: Arc<VirtualClock>,
        chaos: Chaos,
        version: ProtocolVersion,
        partitions: usize,
        seed: u64,
    ) -> Result<Self, String> {
        let registry = SharedRegistry::new(Defaults::default());
        let node = EmbeddedNode::recover(Media::new(partitions), &clock)?;
        let mut test_node = Self {
            node: Some(node),
            clock,
            registry,
            endpoint,
            version,
            attempts: Vec::new(),
            random: Random::new(seed),
            chaos: Chaos::default(),
            happened: Happened::default(),
            mistakes: BTreeMap::new(),
            failures: BTreeMap::new(),
            wakers: Arc::default(),
            calls: 0,
            moves: 0,
            is_stepping: false,
            epoch: 0,
        };
        test_node.register()?;
        // Faults start only now, because without a registration there is nothing to call.
        test_node.chaos = chaos;
        Ok(test_node)
    }

    /// Registers the endpoint, as an operator would.
    fn register(&mut self) -> Result<(), String> {
        let target = registration::Endpoint {
            id: DEPLOYMENT,
            uri: "test://endpoint".to_owned(),
            http1: false,
            headers: Vec::new(),
            metadata: Vec::new(),
            sdk: None,
        };
        let manifest = self.endpoint.manifest();
        let plan = registration::plan(&self.registry.snapshot(), target, &manifest, false);
        let deployment = Arc::new(plan.map_err(|error| error.to_string())?.deployment);
        // No request waits for the outcome under this id.
        let event = Event::DeploymentRegistered { request: RequestId(0), deployment };
        self.node().partitions().propose_now(runtime_core::REGISTRY_PARTITION, event);
        self.turn();
        Ok(())
    }

    pub(crate) fn node(&mut self) -> &mut EmbeddedNode {
        // INVARIANT: the node is `None` only within `crash`, which replaces it.
        #[expect(clippy::expect_used, reason = "see above")]
        self.node.as_mut().expect("a node")
    }

    /// The ingress of the current node.
    pub(crate) fn ingress(&mut self) -> Ingress {
        Ingress {
            access: Arc::default(),
            partitions: self.node().partitions().clone(),
            registry: self.registry.clone(),
            clock: Arc::clone(&self.clock) as _,
            derivation: Derivation::Plain,
            request_size_max_bytes: DEFAULT_REQUEST_SIZE_MAX_BYTES,
            memory: Memory::default(),
            long_checks: LongChecks::Here,
        }
    }

    /// Runs the partitions and everything else but the attempts until no more progress is possible;
    /// true if there was any.
    pub(crate) fn turn(&mut self) -> bool {
        let mut has_moved = false;
        while self.turn_once() {
            has_moved = true;
            self.moves += 1;
        }
        has_moved
    }

    fn turn_once(&mut self) -> bool {
        let node = self.node();
        node.make_room(usize::MAX / 2);
        let mut has_moved = false;
        for partition in 0..node.count() {
            while node.turn(partition) {
                has_moved = true;
            }
        }
        if node.has_pending() {
            has_moved = true;
            self.happened.commits += 1;
            if self.chaos.crashes.contains(&self.happened.commits) {
                self.crash();
                return true;
            }
            self.node().commit();
        }
        has_moved |= self.node().checkpoint();
        if let Some(deployments) = self.node().registry() {
            self.registry.publish(deployments);
        }
        while let Some(request) = self.node().edge_request() {
            has_moved = true;
            self.fulfil(request);
        }
        has_moved
    }

    fn fulfil(&mut self, request: EdgeRequest) {
        let now_ms = self.clock.now_ms();
        match request {
            EdgeRequest::Start(partition, start) => {
                self.happened.attempts += 1;
                let is_failing = self.chaos.failing_attempts.contains(&self.happened.attempts);
                let registry = self.registry.snapshot();
                let options = self.options(&registry, &start);
                let version = options.pin.protocol;
                let endpoint = &self.endpoint;
                let open = |start: &StartAttempt, request: Pipe| {
                    let opening = endpoint.open(&start.target.service, &start.target.handler)?;
                    (!is_failing).then(|| opening.attempt(version, request))
                };
                let attempt = TestAttempt::new(partition, *start, options, registry, open, now_ms);
                self.attempts.push(attempt);
            }
            EdgeRequest::Notify(partition, name, index, entry) => {
                let attempts = self.attempts.iter_mut();
                for attempt in attempts.filter(|one| (one.partition, one.name) == (partition, name))
                {
                    attempt.notify(now_ms, index, entry.clone());
                }
            }
            EdgeRequest::Suspend(partition, name) => {
                let attempts = self.attempts.iter_mut();
                for attempt in attempts.filter(|one| (one.partition, one.name) == (partition, name))
                {
                    attempt.suspend();
                }
            }
            EdgeRequest::Abort(partition, name) => {
                self.attempts.retain(|one| (one.partition, one.name) != (partition, name));
            }
        }
    }

    fn options(&self, registry: &RegistrySnapshot, start: &StartAttempt) -> AttemptOptions {
        let node = NodeOptions { max_protocol: self.version, ..NodeOptions::default() };
        let mut options = match place(registry, start, &node) {
            Ok(placement) => placement.options,
            // There is no such handler; the attempt fails when it opens.
            Err(unplaced) => unplaced.options,
        };
        if self.chaos.suspend_always {
            options.handler.inactivity_timeout_ms = 0;
        }
        options
    }

    /// Takes the attempts out of the world, so that the world is accessible while they are polled:
    /// a handler may use it.
    pub(crate) fn begin_step(&mut self) -> Step {
        self.is_stepping = true;
        Step {
            attempts: std::mem::take(&mut self.attempts),
            random: self.random.clone(),
            now_ms: self.clock.now_ms(),
            wakers: Arc::clone(&self.wakers),
            epoch: self.epoch,
        }
    }

    /// Puts the attempts back, and applies the outcomes of their step; true if there was any
    /// progress.
    pub(crate) fn end_step(&mut self, step: Step, said: Vec<Stepped>) -> bool {
        self.is_stepping = false;
        self.random = step.random;
        if step.epoch != self.epoch {
            return true; // The runtime has crashed in the meantime, and the attempts with it.
        }
        let mut has_moved = false;
        let mut attempts = step.attempts;
        for (attempt, stepped) in attempts.iter_mut().zip(said) {
            has_moved |= stepped.has_moved;
            if let Some(mistake) = stepped.mistake {
                self.mistakes.entry(attempt.invocation.clone()).or_insert(mistake);
            }
            if let Some(failure) = stepped.failure {
                self.failures.insert(attempt.invocation.clone(), failure);
            }
            if stepped.has_grown && !attempt.has_ended() && self.is_to_be_cut(attempt) {
                attempt.cut(&mut self.random);
            }
            let mut last = Stepped::default();
            attempt.carry_out(&mut last);
            has_moved |= last.has_moved;
            for proposal in stepped.proposals.into_iter().chain(last.proposals) {
                self.node().partitions().propose_now(attempt.partition, proposal);
            }
        }
        attempts.retain(|attempt| !attempt.has_ended());
        attempts.append(&mut self.attempts);
        self.attempts = attempts;
        self.moves += u64::from(has_moved);
        has_moved
    }

    /// Whether a closure is being executed, so that real time must pass.
    pub(crate) fn is_executing(&self) -> bool {
        self.attempts.iter().any(TestAttempt::is_executing)
    }

    fn is_to_be_cut(&mut self, attempt: &TestAttempt) -> bool {
        if self.chaos.cut_always {
            return true;
        }
        let cuts = self.happened.cuts.entry(attempt.invocation.clone()).or_default();
        let due =
            self.chaos.cut_after.iter().find(|at| **at <= attempt.commands && !cuts.contains(at));
        due.is_some_and(|at| cuts.insert(*at))
    }

    /// Crashes the runtime: everything in memory is lost, and so is whatever was not synced to
    /// disk.
    pub(crate) fn crash(&mut self) {
        self.attempts.clear();
        self.epoch += 1;
        let Some(node) = self.node.take() else { return };
        node.partitions().stop();
        let media = node.lose_power(&mut self.random);
        match EmbeddedNode::recover(media, &self.clock) {
            Ok(node) => self.node = Some(node),
            // The kit promises that recovery succeeds: a test that gets here has found a bug in the
            // runtime.
            Err(error) => panic!("the runtime cannot recover: {error}"),
        }
    }

    /// Advances the clock to the next timer or deadline, but not beyond `until_ms`; false if there
    /// is none by then.
    pub(crate) fn jump(&mut self, until_ms: u64) -> bool {
        let count = self.node().count();
        let timers = (0..count).filter_map(|partition| self.node().next_wake_up_ms(partition));
        let timers: Vec<u64> = timers.collect();
        let deadlines = self.attempts.iter().filter_map(TestAttempt::deadline_ms);
        let Some(next_ms) = deadlines.chain(timers).min().filter(|next| *next <= until_ms) else {
            return false;
        };
        self.pass_until(next_ms);
        true
    }

    /// Advances the clock, and handles the attempts' deadlines that have passed.
    pub(crate) fn pass_until(&mut self, time_ms: u64) {
        let now_ms = self.clock.now_ms();
        self.clock.advance_ms(time_ms.saturating_sub(now_ms));
        let now_ms = self.clock.now_ms();
        for attempt in &mut self.attempts {
            if attempt.deadline_ms().is_some_and(|deadline_ms| deadline_ms <= now_ms) {
                attempt.on_timeout(now_ms, &mut self.random);
            }
        }
    }
}
