//! Fault injection: which faults occur and how often, and taking the node down and recovering it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use runtime_core::{
    event::Event,
    model::invocation::{AfterFailure, AttemptFailure},
    time::Timestamp,
};
use runtime_embedded::{Random, node::RESERVE_BYTES};
use runtime_partition::Settings;

use crate::{
    checks,
    limits::{Limits, Sabotage},
    media::Media,
    node::SimNode,
    sabotage,
    stats::Fault,
    world::World,
};

/// A fault, or an operation at an inconvenient time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    LosePower,
    KillProcess,
    CutLog,
    CutEntry,
    CutTables,
    FailLog,
    FailTables,
    FillLog,
    FillTables,
    SlowSync,
    Stall,
    JumpClock,
    StepWall,
    CutConnection,
    Unplug,
    LoseMessages,
    MakeZombie,
    Kill,
    Cancel,
    Register,
}

/// How often each fault occurs, in thousandths of the steps; chosen per simulation.
#[derive(Debug, Clone, Default)]
pub(crate) struct FaultWeights {
    weights: Vec<(u64, FaultKind)>,
    /// How often, in thousandths, power is lost during recovery.
    recovery_cut: u64,
    /// How often, in thousandths, the wall clock is set while the node is down.
    wall_set: u64,
}

impl FaultWeights {
    pub(crate) fn new(random: &mut Random, limits: &Limits) -> Self {
        let most = [
            (limits.crashes, 6, FaultKind::LosePower),
            (limits.crashes, 4, FaultKind::KillProcess),
            (limits.power_cuts, 6, FaultKind::CutLog),
            (limits.power_cuts, 4, FaultKind::CutEntry),
            (limits.power_cuts, 4, FaultKind::CutTables),
            (limits.disk_errors, 3, FaultKind::FailLog),
            (limits.disk_errors, 3, FaultKind::FailTables),
            (limits.full_disks, 4, FaultKind::FillLog),
            (limits.full_disks, 5, FaultKind::FillTables),
            (limits.slow_syncs, 5, FaultKind::SlowSync),
            (limits.slow_syncs, 5, FaultKind::Stall),
            (limits.jumps, 8, FaultKind::JumpClock),
            (limits.jumps, 6, FaultKind::StepWall),
            (limits.cuts, 12, FaultKind::CutConnection),
            (limits.cuts, 12, FaultKind::MakeZombie),
            (limits.outages, 5, FaultKind::Unplug),
            (limits.lossy, 12, FaultKind::LoseMessages),
            (limits.operators, 4, FaultKind::Kill),
            (limits.operators, 4, FaultKind::Cancel),
            (limits.operators, 3, FaultKind::Register),
        ];
        let mut weights = Vec::new();
        for (is_allowed, most, strike) in most {
            let chosen = if random.chance(500) { 1 + random.below(most) } else { 0 };
            let weight = if limits.is_worst { most } else { chosen };
            if is_allowed && weight > 0 {
                weights.push((weight, strike));
            }
        }
        let recovery_cut = if limits.power_cuts { random.below(300) } else { 0 };
        let wall_set = if limits.jumps { random.below(400) } else { 0 };
        Self { weights, recovery_cut, wall_set }
    }

    fn pick(&self, mut choice: u64) -> Option<FaultKind> {
        for (weight, strike) in &self.weights {
            if choice < *weight {
                return Some(*strike);
            }
            choice -= weight;
        }
        None
    }
}

/// What takes a node down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Down {
    /// Power is lost: unsynced data may be lost.
    Power,
    /// The process dies: everything written survives.
    Process,
}

impl World {
    /// Injects the fault selected by `choice`; returns false if it selects none.
    pub(crate) fn strike(&mut self, choice: u64) -> Result<bool, String> {
        let Some(strike) = self.weights.pick(choice) else { return Ok(false) };
        match strike {
            FaultKind::LosePower => {
                let bit = self.node()?.has_pending();
                self.stats.add(Fault::PowerLoss, bit);
                self.go_down(Down::Power)?;
            }
            FaultKind::KillProcess => {
                let node = self.node()?;
                let bit = node.has_pending() || node.media().has_unsynced_log();
                self.stats.add(Fault::ProcessKilled, bit);
                self.go_down(Down::Process)?;
            }
            FaultKind::CutLog => {
                self.stats.inject(Fault::LogPowerCut);
                let after = self.random.below(6);
                self.node()?.media().cut_log_after(after);
            }
            FaultKind::CutEntry => self.node()?.media().cut_log_at_entry(),
            FaultKind::CutTables => {
                self.stats.inject(Fault::CheckpointCut);
                let (at, after) = (self.any_partition()?, self.random.below(24));
                self.node()?.media().cut_tables_after(at, after);
            }
            FaultKind::FailLog => {
                self.stats.inject(Fault::LogError);
                let after = self.random.below(6);
                self.node()?.media().fail_log_after(after);
            }
            FaultKind::FailTables => {
                self.stats.inject(Fault::TableError);
                let (at, after) = (self.any_partition()?, self.random.below(24));
                self.node()?.media().fail_tables_after(at, after);
            }
            FaultKind::FillLog => self.fill_log()?,
            FaultKind::FillTables => {
                self.stats.inject(Fault::TablesFull);
                let (at, writes) = (self.any_partition()?, 1 + self.random.below(30));
                self.node()?.media().fill_tables(at, writes);
            }
            FaultKind::SlowSync => {
                if self.slow.steps_left == 0 {
                    self.stats.inject(Fault::SlowSync);
                    self.slow.steps_left = 4 + self.random.index(30);
                    self.slow.turns = 0;
                }
            }
            FaultKind::Stall => {
                if self.stalled.is_none() {
                    let at = self.any_partition()?;
                    self.stalled = Some((at, 10 + self.random.index(70)));
                    self.stats.inject(Fault::Stalled);
                }
            }
            FaultKind::JumpClock => self.jump()?,
            FaultKind::StepWall => {
                // Deliver what SDKs have already sent under the old time.
                self.deliver_all()?;
                self.set_wall();
                self.stats.add(Fault::WallStep, !self.tasks.is_empty());
            }
            FaultKind::CutConnection => self.cut_connection()?,
            FaultKind::Unplug => self.backing.unplug(&mut self.random),
            FaultKind::LoseMessages => {
                let lost = self.node()?.lose_messages();
                self.stats.add(Fault::MessagesLost, lost > 0);
            }
            FaultKind::MakeZombie => self.make_zombie()?,
            FaultKind::Kill => self.end_an_invocation(true)?,
            FaultKind::Cancel => self.end_an_invocation(false)?,
            FaultKind::Register => self.register()?,
        }
        Ok(true)
    }

    /// Sets the wall clock up to an hour forward or back.
    fn set_wall(&mut self) {
        let by_ms = i64::try_from(self.random.below(7_200_000)).unwrap_or(0) - 3_600_000;
        self.clock.step_wall_ms(by_ms);
    }

    /// Leaves little or no free space on the log's disk for a while.
    fn fill_log(&mut self) -> Result<(), String> {
        if self.full_steps_left == 0 {
            self.stats.inject(Fault::LogFull);
            self.full_steps_left = 50 + self.random.index(300);
            self.is_refused = false;
            let taken_bytes = self.random.below(RESERVE_BYTES + RESERVE_BYTES / 4);
            self.node()?.media().fill_log(taken_bytes);
        }
        Ok(())
    }

    /// Counts down one step of a full disk.
    pub(crate) fn wait_for_room(&mut self) -> Result<(), String> {
        if self.full_steps_left > 0 {
            self.full_steps_left -= 1;
            if self.full_steps_left == 0 {
                self.free_log()?;
            }
        }
        Ok(())
    }

    /// Frees the log's disk and lets refused operations retry.
    pub(crate) fn free_log(&mut self) -> Result<(), String> {
        self.full_steps_left = 0;
        let is_refused = std::mem::take(&mut self.is_refused);
        self.stats.bite(Fault::LogFull, is_refused);
        let node = self.node()?;
        node.media().free_log();
        node.retry();
        Ok(())
    }

    /// Writes a pending checkpoint; returns false if there is none.
    pub(crate) fn checkpoint(&mut self) -> Result<bool, String> {
        let before = self.node()?.media().table_refusals_left();
        let was_one = self.node()?.checkpoint();
        let after = self.node()?.media().table_refusals_left();
        self.stats.bite(Fault::TablesFull, after < before);
        Ok(was_one)
    }

    fn any_partition(&mut self) -> Result<usize, String> {
        let count = self.node()?.count();
        Ok(self.random.index(count))
    }

    fn jump(&mut self) -> Result<(), String> {
        let (now_ms, by_ms) = (self.clock.now_ms(), self.random.below(2000));
        self.clock.advance_ms(by_ms);
        let mut bit = false;
        for at in 0..self.node()?.count() {
            let next_ms =
                self.node()?.tables(at, |tables| checks::next_timer_ms(tables, now_ms + 1));
            bit |= next_ms.is_some_and(|next_ms| next_ms <= now_ms + by_ms);
        }
        self.stats.add(Fault::ClockJump, bit);
        Ok(())
    }

    fn cut_connection(&mut self) -> Result<(), String> {
        self.stats.add(Fault::ConnectionCut, !self.tasks.is_empty());
        if self.tasks.is_empty() {
            return Ok(());
        }
        let at = self.random.index(self.tasks.len());
        self.tasks[at].cut(&mut self.random);
        self.carry_out(at)
    }

    /// Notifies a partition that an attempt failed, although it keeps running.
    fn make_zombie(&mut self) -> Result<(), String> {
        let living: Vec<usize> =
            (0..self.tasks.len()).filter(|at| !self.tasks[*at].is_zombie).collect();
        if living.is_empty() {
            return Ok(());
        }
        let at = living[self.random.index(living.len())];
        self.stats.inject(Fault::Zombie);
        self.tasks[at].is_zombie = true;
        let (partition, attempt) = (self.tasks[at].partition, self.tasks[at].name);
        let failure = AttemptFailure {
            code: 500,
            error_code: None,
            message: "lost".to_owned(),
            stacktrace: String::new(),
            related_command: None,
        };
        let next = AfterFailure::Retry { delay_ms: self.random.below(50), counts: true };
        self.propose(partition, Event::AttemptFailed { attempt, failure, next }, false)
    }

    /// Takes the node down if its power was cut or it stopped by itself.
    pub(crate) fn look_after_node(&mut self) -> Result<(), String> {
        if let Some(fault) = self.node()?.media().is_off() {
            let media = self.node()?.media();
            let bit = if fault == Fault::LogPowerCut {
                media.has_unsynced_log()
            } else {
                media.have_unsynced_tables()
            };
            self.stats.bite(fault, bit);
            return self.go_down(Down::Power);
        }
        if !self.node()?.has_stopped() {
            return Ok(());
        }
        let media = self.node()?.media();
        let fault = match (media.has_log_failed(), media.have_tables_failed()) {
            (true, _) => Fault::LogError,
            (false, true) => Fault::TableError,
            (false, false) => return Err("a partition has stopped without a fault".to_owned()),
        };
        self.stats.bite(fault, true);
        self.go_down(Down::Process)
    }

    /// Takes a turn of a random partition, unless that is stalled.
    pub(crate) fn any_turn(&mut self) -> Result<(), String> {
        let at = self.any_partition()?;
        match &mut self.stalled {
            Some((stalled, turns_left)) if *stalled == at => {
                *turns_left -= 1;
                if *turns_left == 0 {
                    self.stalled = None;
                    let waiting = self.node()?.has_peer_events(at);
                    self.stats.bite(Fault::Stalled, waiting);
                }
                Ok(())
            }
            Some(_) | None => self.take_turn(at).map(|_| ()),
        }
    }

    /// Takes one partition's turn. A node whose tables cannot be written ends, as its process
    /// would.
    pub(crate) fn take_turn(&mut self, at: usize) -> Result<bool, String> {
        let sabotage = self.sabotage;
        let slow = self.slow.steps_left > 0;
        let node = self.node()?;
        sabotage::before_turn(node, sabotage);
        let (is_overloaded, is_waiting) = node.holds_back(at);
        let before = node.counts(at);
        let worked = if node.media().have_tables_failed() {
            match catch_unwind(AssertUnwindSafe(|| node.turn(at))) {
                Ok(worked) => worked,
                Err(_) => {
                    self.stats.bite(Fault::TableError, true);
                    self.go_down(Down::Process)?;
                    return Ok(true);
                }
            }
        } else {
            node.turn(at)
        };
        // A turn that needed no row of the file goes on without it, but a check would end the
        // process, as any read does.
        if self.node()?.media().have_tables_failed() {
            return Ok(worked);
        }
        let budget_bytes = self.settings.retention_budget_bytes;
        if budget_bytes < Settings::default().retention_budget_bytes {
            let kept = self.node()?.tables(at, |tables| tables.meta().retained_bytes);
            self.stats.add(Fault::Budget, kept > budget_bytes);
        }
        if is_overloaded {
            self.stats.add(Fault::Overload, is_waiting);
        }
        let after = self.node()?.counts(at);
        let (settings, default) = (&self.settings, Settings::default());
        if settings.added_bytes_max < default.added_bytes_max {
            self.stats.add(Fault::TurnCut, after.turns_cut > before.turns_cut);
            self.stats.add(Fault::PeersFull, after.asked_again > before.asked_again);
        }
        if self.outside.has_large_results() {
            self.stats.add(Fault::LargeResults, after.passed_on > before.passed_on);
        }
        if settings.small_bytes_max < default.small_bytes_max {
            self.stats.add(Fault::SetAside, after.set_aside > before.set_aside);
        }
        if worked && slow {
            self.slow.turns += 1;
        }
        if worked {
            let since = Timestamp(self.clock.now_ms());
            self.node()?
                .tables(at, |tables| checks::of_turn(tables, since))
                .map_err(|broken| format!("partition {at}: {broken}"))?;
        }
        Ok(worked)
    }

    /// Stops everything at once and starts a new process.
    pub(crate) fn go_down(&mut self, how: Down) -> Result<(), String> {
        self.tasks.clear();
        self.cut_clients_off();
        self.cut_operators_off();
        self.slow.steps_left = 0;
        if let Some((at, _)) = self.stalled.take() {
            let waiting = self.node()?.has_peer_events(at);
            self.stats.bite(Fault::Stalled, waiting);
        }
        let Some(node) = self.node.take() else { return Err("there is no node".to_owned()) };
        let media = match how {
            Down::Power => node.lose_power(&mut self.random, &mut self.stats),
            Down::Process => node.kill(&mut self.stats),
        };
        self.clock.advance_ms(self.random.below(300));
        self.recover(media)
    }

    fn recover(&mut self, media: Media) -> Result<(), String> {
        let is_wall_set = self.random.chance(self.weights.wall_set);
        if is_wall_set {
            self.set_wall();
        }
        let before_ms = self.clock.now_ms();
        self.clock.restart();
        let is_cut = self.random.chance(self.weights.recovery_cut);
        if is_cut {
            if self.random.chance(600) {
                media.cut_log_after(self.random.below(8));
            } else {
                let at = self.random.index(media.count());
                media.cut_tables_after(at, self.random.below(10));
            }
        }
        let node = match self.boot(media.clone()) {
            // This also applies if recovery succeeded: it did not need the operation that was cut.
            outcome if media.is_off().is_some() => {
                if let Ok(node) = outcome {
                    node.kill(&mut self.stats);
                }
                self.stats.add(Fault::RecoveryCut, true);
                let media = media.lose_power(&mut self.random, &mut self.stats);
                self.clock.restart();
                self.boot_with_room(media)?
            }
            outcome => {
                if is_cut {
                    self.stats.inject(Fault::RecoveryCut);
                }
                match outcome {
                    Ok(node) => node,
                    Err(_) if media.is_log_full() => {
                        // The second start succeeds: a planned power cut that has not occurred is
                        // cancelled.
                        media.calm();
                        self.boot_with_room(media)?
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        node.media().calm();
        // If the wall clock is ahead after a restart, the node takes the difference for elapsed
        // time.
        self.outside.forgive(self.clock.now_ms().saturating_sub(before_ms));
        if is_wall_set {
            self.stats.add(Fault::ClockBehind, self.clock.is_wall_behind());
        }
        self.begin(node)
    }

    fn boot(&self, media: Media) -> Result<SimNode, String> {
        SimNode::recover(media, &self.clock, self.settings.clone(), self.sabotage)
    }

    /// Recovers a node; on a full disk, an operator may have to free space first.
    fn boot_with_room(&mut self, media: Media) -> Result<SimNode, String> {
        if !media.is_log_full() {
            return self.boot(media);
        }
        let outcome = self.boot(media.keep());
        self.stats.add(Fault::StartWithoutRoom, outcome.is_err());
        if outcome.is_err() {
            media.free_log();
            self.full_steps_left = 0;
            return self.boot(media.keep());
        }
        outcome
    }

    /// Puts a recovered node into service, after checking the invariants that always hold.
    pub(crate) fn begin(&mut self, mut node: SimNode) -> Result<(), String> {
        sabotage::after_recovery(&mut node, self.sabotage);
        node.set_permits(self.places);
        for at in 0..node.count() {
            node.tables(at, checks::of_all)
                .map_err(|broken| format!("partition {at} after recovery: {broken}"))?;
        }
        self.node = Some(node);
        self.take_registry()?;
        self.check_registry()
    }

    /// Makes the clock forget the stamps it has issued if that is the sabotage; called once.
    pub(crate) fn sabotage_clock(&self) {
        if self.sabotage == Some(Sabotage::ClockNotAdvanced) {
            self.clock.forget_stamps();
        }
    }
}
