//! The main loop: a phase of random steps with faults among them, then a drain phase without faults
//! in which everything must complete.

use std::sync::Arc;
use std::time::Duration;

use abide_sdk::Endpoint;
use bytes::Bytes;
use protocol::Backoff;
use runtime_core::registry::{Defaults, HandlerSettings, RetryPolicy};
use runtime_embedded::{Random, VirtualClock, node::small_settings};
use runtime_partition::Settings;
use runtime_schema::SharedRegistry;

use crate::{
    attempts::Pins,
    backoff_tracker::Backing,
    backups::Backup,
    checks,
    clients::{Completing, Operation},
    editors::Editors,
    faults::FaultWeights,
    handlers,
    limits::{Limits, Moment, Sabotage},
    media::Media,
    node::SimNode,
    operators::Operators,
    program::Author,
    registrars::Registrars,
    restarters::Restarters,
    restarts::Down,
    stats::{Fault, Stats},
    task::Task,
};

/// The outcome of a simulation, for comparison between runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// A checksum of everything that was decided and proposed.
    pub digest: u64,
    /// Commits of the log before the drain phase.
    pub commits: u64,
    /// Each client's outcome: the length of the result, or a failure's code.
    pub heard: Vec<Result<usize, u32>>,
    /// How often each fault was injected, and how often it had an effect.
    pub stats: Stats,
}

/// The complete state of a simulation.
pub struct World {
    pub(crate) random: Random,
    pub(crate) limits: Limits,
    pub(crate) sabotage: Option<Sabotage>,
    pub(crate) weights: FaultWeights,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) node: Option<SimNode>,
    pub(crate) registry: SharedRegistry,
    pub(crate) tasks: Vec<Task>,
    pub(crate) outside: handlers::Outside,
    pub(crate) endpoint: Endpoint,
    pub(crate) author: Author,
    pub(crate) operations: Vec<Operation>,
    pub(crate) completions: Vec<Completing>,
    pub(crate) operators: Operators,
    pub(crate) editors: Editors,
    pub(crate) restarters: Restarters,
    pub(crate) registrars: Registrars,
    pub(crate) pins: Pins,
    pub(crate) backing: Backing,
    pub(crate) stats: Stats,
    pub(crate) slow: Slow,
    /// A backup that has begun.
    pub(crate) backup: Option<Backup>,
    /// Steps until the log's disk has free space again; 0 if it has.
    pub(crate) full_steps_left: usize,
    /// Whether a request was refused because the log's disk was full.
    pub(crate) is_refused: bool,
    /// A stalled partition, and how many more turns it skips.
    pub(crate) stalled: Option<(usize, usize)>,
    /// Concurrency permits of the invoker.
    pub(crate) places: usize,
    pub(crate) bidirectional: bool,
    digest: u64,
    commits: u64,
}

/// A period in which nothing is committed.
#[derive(Debug, Default)]
pub(crate) struct Slow {
    /// Commits left to skip.
    pub(crate) steps_left: usize,
    /// Turns taken during the period.
    pub(crate) turns: usize,
}

/// Iterations of the drain loop after which the simulation counts as stuck. With few permits, many
/// attempts have to suspend one after the other, and lossy links let time pass in small steps.
const PEACE_MAX: usize = 200_000;

/// Longer than any simulation runs.
const RETENTION_MS: u64 = 100 * 24 * 3_600_000;

/// Runs the simulation of one seed to completion.
///
/// # Errors
/// Returns the first violation found.
pub fn run(seed: u64, limits: &Limits, sabotage: Option<Sabotage>) -> Result<Report, String> {
    let mut world = World::new(seed, limits.clone(), sabotage)?;
    world.run_with_faults()?;
    let commits = world.commits;
    world.drain()?;
    let heard = world.operations.iter().filter_map(|operation| operation.heard.as_ref());
    let heard = heard.map(|heard| heard.as_ref().map(Bytes::len).map_err(|code| *code)).collect();
    world.check()?;
    Ok(Report { digest: world.digest, commits, heard, stats: world.stats })
}

impl World {
    fn new(seed: u64, limits: Limits, sabotage: Option<Sabotage>) -> Result<Self, String> {
        let mut random = Random::new(seed);
        let clock = Arc::new(VirtualClock::default());
        let chosen = 1 + random.index(4);
        let partitions = limits.partitions.unwrap_or(chosen);
        let settings = settings(&limits, &mut random);
        let weights = FaultWeights::new(&mut random, &limits);
        let node = SimNode::recover(Media::new(partitions), &clock, settings.clone(), sabotage)?;
        let has_large_results = limits.overload && random.chance(40);
        let outside = handlers::Outside::new(Arc::clone(&clock), has_large_results);
        let defaults = Defaults {
            handler: HandlerSettings {
                inactivity_timeout_ms: 1000,
                abort_timeout_ms: 5000,
                lazy_state: false,
                retry: RetryPolicy {
                    backoff: Backoff {
                        initial_interval_ms: 10,
                        factor_thousandths: 2000,
                        max_interval_ms: 200,
                    },
                    max_attempts: None,
                    ..RetryPolicy::default()
                },
            },
            // In half of the simulations, invocations whose results cannot be requested again are
            // removed on completion, which is the more fragile path.
            journal_retention_ms: [0, 0, 150, RETENTION_MS][random.index(4)],
            idempotency_retention_ms: RETENTION_MS,
            workflow_retention_ms: RETENTION_MS,
        };
        let mut world = Self {
            author: Author::new(&limits),
            limits,
            sabotage,
            weights,
            settings,
            clock,
            node: None,
            registry: SharedRegistry::new(defaults),
            tasks: Vec::new(),
            endpoint: outside.endpoint(),
            outside,
            operations: Vec::new(),
            completions: Vec::new(),
            operators: Operators::default(),
            editors: Editors::default(),
            restarters: Restarters::default(),
            registrars: Registrars::default(),
            pins: Pins::default(),
            backing: Backing::default(),
            stats: Stats::default(),
            slow: Slow::default(),
            backup: None,
            full_steps_left: 0,
            is_refused: false,
            stalled: None,
            places: 2 + random.index(6),
            bidirectional: random.chance(700),
            digest: 0xcbf2_9ce4_8422_2325,
            commits: 0,
            random,
        };
        world.sabotage_clock();
        world.begin(node)?;
        world.register()?;
        while world.registrars.are_waiting() {
            world.listen_to_registrars();
            world.take_turn(0)?;
            world.node()?.commit();
        }
        world.take_registry()?;
        Ok(world)
    }

    pub(crate) fn node(&mut self) -> Result<&mut SimNode, String> {
        self.node.as_mut().ok_or_else(|| "there is no node".to_owned())
    }

    /// Runs random steps, with faults.
    fn run_with_faults(&mut self) -> Result<(), String> {
        for step in 1..=self.limits.steps {
            self.follow(step)?;
            let choice = self.random.below(1000);
            self.note(&choice.to_be_bytes());
            if !self.strike(choice)? {
                self.go_on()?;
            }
            self.wait_for_room()?;
            self.look_after_backup()?;
            self.backing.pass();
            self.look_after_node()?;
            self.take_registry()?;
            if let Some(fault) = self.outside.surroundings().faults.first() {
                return Err(fault.clone());
            }
        }
        Ok(())
    }

    /// Drives the followers, which proceed at their own pace.
    fn follow(&mut self, step: usize) -> Result<(), String> {
        let Some(node) = &mut self.node else { return Ok(()) };
        if step.is_multiple_of(50) {
            node.hold();
        }
        if self.limits.lossy && step.is_multiple_of(40) {
            node.resend_all();
        }
        node.listen_to_holders()?;
        if step.is_multiple_of(300) { node.check_followers(&mut self.stats) } else { Ok(()) }
    }

    /// Takes one random step that is not a fault.
    fn go_on(&mut self) -> Result<(), String> {
        match self.random.below(1000) {
            0..40 => self.clock.advance_ms(1),
            40..90 => self.start_operation(),
            90..150 => {
                self.listen()?;
            }
            150..160 => {
                self.listen_to_orders()?;
                self.listen_to_editors();
                self.listen_to_restarters();
                self.listen_to_registrars();
            }
            160..370 => self.any_turn()?,
            370..520 => self.commit()?,
            520..530 => {
                self.node()?.seal();
                self.node()?.retry();
            }
            530..570 => {
                self.checkpoint()?;
            }
            570..590 => self.time_out()?,
            590..710 => {
                self.serve_edge()?;
            }
            710..730 => {
                self.complete_one()?;
            }
            _ => {
                self.step_task()?;
            }
        }
        Ok(())
    }

    /// Drains: without further faults, everything must complete, and asking again about each
    /// operation must yield the same result.
    fn drain(&mut self) -> Result<(), String> {
        self.node()?.media().calm();
        self.backup = None;
        self.free_log()?;
        self.slow.steps_left = 0;
        self.stalled = None;
        self.backing.plug_in();
        let mut is_asked_again = false;
        for _ in 0..PEACE_MAX {
            let mut is_busy = false;
            while self.operations.len() < self.limits.operations {
                self.start_operation();
            }
            for at in 0..self.node()?.count() {
                is_busy |= self.take_turn(at)?;
            }
            // A fault injected earlier may only be hit now.
            self.look_after_node()?;
            is_busy |= self.node()?.commit();
            is_busy |= self.checkpoint()?;
            self.node()?.retry();
            self.take_registry()?;
            while self.serve_edge()? {
                is_busy = true;
            }
            while self.step_task()? {
                is_busy = true;
            }
            self.time_out()?;
            is_busy |= self.complete_one()?;
            is_busy |= self.listen()?;
            is_busy |= self.listen_to_orders()?;
            is_busy |= self.listen_to_editors();
            is_busy |= self.listen_to_restarters();
            is_busy |= self.listen_to_registrars();
            if let Some(fault) = self.outside.surroundings().faults.first() {
                return Err(fault.clone());
            }
            if is_busy || self.resume_all()? || self.move_stranded()? {
                continue;
            }
            if self.limits.lossy {
                self.node()?.resend_all();
            }
            let is_quiet = self.operations.iter().all(|operation| operation.asking.is_none());
            if is_quiet && self.tasks.is_empty() && self.is_all_done()? {
                if is_asked_again {
                    return Ok(());
                }
                is_asked_again = true;
                self.ask_all_again()?;
                continue;
            }
            self.pass_time()?;
        }
        Err(format!("stuck: {}", self.what_is_stuck()))
    }

    /// Advances the clock to the next due time.
    fn pass_time(&mut self) -> Result<(), String> {
        let now_ms = self.clock.now_ms();
        let count = self.node()?.count();
        let mut next_ms = now_ms + 1000;
        for at in 0..count {
            if let Some(due_ms) = self.node()?.next_wake_up_ms(at) {
                next_ms = next_ms.min(due_ms.max(now_ms + 1));
            }
        }
        self.clock.advance_ms(next_ms - now_ms);
        Ok(())
    }

    fn is_all_done(&mut self) -> Result<bool, String> {
        let node = self.node()?;
        Ok((0..node.count()).all(|at| node.tables(at, checks::is_all_done)))
    }

    fn check(&mut self) -> Result<(), String> {
        let operations = std::mem::take(&mut self.operations);
        let doomed = std::mem::take(&mut self.operators.doomed);
        let looks = std::mem::take(&mut self.outside.surroundings().looks);
        let is_lossy = self.limits.lossy;
        let reruns = self.check_restarts(&checks::all_doomed(&operations, &doomed))?;
        let node = self.node()?;
        for at in 0..node.count() {
            node.tables(at, checks::of_all)?;
            node.tables(at, checks::is_nothing_left)?;
        }
        checks::tags(node, (&operations, &doomed, &reruns), &looks, !is_lossy)?;
        checks::is_in_time(&self.clock)?;
        self.check_edits()?;
        self.check_registry()?;
        self.count_changes()?;
        let mut node = self.node.take();
        if let Some(node) = &mut node {
            node.check_followers(&mut self.stats)?;
        }
        self.operations = operations;
        // Refused starts are counted when the node goes down.
        node.map(|node| node.kill(&mut self.stats));
        Ok(())
    }

    fn what_is_stuck(&mut self) -> String {
        let waiting: Vec<_> = self
            .operations
            .iter()
            .filter(|operation| operation.asking.is_some())
            .map(|operation| operation.number)
            .collect();
        let tasks: Vec<_> = self.tasks.iter().map(|task| task.name).collect();
        let mut rows = Vec::new();
        if let Some(node) = &mut self.node {
            for at in 0..node.count() {
                rows.extend(node.tables(at, checks::unfinished));
            }
        }
        format!("operations {waiting:?}, tasks {tasks:?}, rows {rows:?}")
    }

    /// Performs one fsync; crashes before or after it if it is the chosen one.
    fn commit(&mut self) -> Result<(), String> {
        if self.slow.steps_left > 0 {
            self.slow.steps_left -= 1;
            if self.slow.steps_left == 0 {
                self.stats.bite(Fault::SlowSync, self.slow.turns > 1);
            }
            return Ok(());
        }
        let number = self.commits;
        if self.limits.crash_at == Some((number, Moment::Before)) {
            self.commits += 1;
            return self.go_down(Down::Power);
        }
        if self.node()?.commit() {
            self.commits += 1;
            if self.limits.crash_at == Some((number, Moment::After)) {
                return self.go_down(Down::Power);
            }
        }
        Ok(())
    }

    /// Publishes the registry's rows if they have changed.
    pub(crate) fn take_registry(&mut self) -> Result<(), String> {
        if let Some(deployments) = self.node()?.registry() {
            self.registry.publish(deployments);
        }
        Ok(())
    }

    pub(crate) fn note(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// Chooses the partition settings; some simulations get an overlay that fills up quickly.
fn settings(limits: &Limits, random: &mut Random) -> Settings {
    let mut settings = small_settings();
    settings.checkpoint_interval = Duration::from_millis([40, 150][random.index(2)]);
    let is_tight = random.chance(300);
    if limits.overload && is_tight {
        settings.overlay_bytes_max = 1024 + random.index(2048);
        settings.small_bytes_max = 8;
    }
    if random.chance(300) {
        settings.retention_budget_bytes = 2048;
    }
    if random.chance(300) {
        settings.added_bytes_max = 512 + random.index(4096);
        settings.peer_bytes_max = 1024 + random.index(4096);
    }
    settings
}
