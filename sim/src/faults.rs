//! Fault injection: which faults occur and how often.

use runtime_core::{
    event::Event,
    model::invocation::{AfterFailure, AttemptFailure},
};
use runtime_embedded::{Random, node::RESERVE_BYTES};

use crate::{checks, limits::Limits, restarts::Down, stats::Fault, world::World};

/// A fault, or an operation at an inconvenient time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    LosePower,
    KillProcess,
    BackUp,
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
    Pause,
    Resume,
    Register,
    MoveDeployment,
    Configure,
    RemoveDeployment,
    EditState,
    Restart,
}

/// How often each fault occurs, in thousandths of the steps; chosen per simulation.
#[derive(Debug, Clone, Default)]
pub(crate) struct FaultWeights {
    weights: Vec<(u64, FaultKind)>,
    /// How often, in thousandths, power is lost during recovery.
    pub(crate) recovery_cut: u64,
    /// How often, in thousandths, the wall clock is set while the node is down.
    pub(crate) wall_set: u64,
}

impl FaultWeights {
    pub(crate) fn new(random: &mut Random, limits: &Limits) -> Self {
        let most = [
            (limits.crashes, 6, FaultKind::LosePower),
            (limits.crashes, 4, FaultKind::KillProcess),
            (limits.backups, 8, FaultKind::BackUp),
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
            (limits.lossy, 40, FaultKind::LoseMessages),
            (limits.operators, 4, FaultKind::Kill),
            (limits.operators, 4, FaultKind::Cancel),
            (limits.operators, 5, FaultKind::Register),
            (limits.operators, 3, FaultKind::MoveDeployment),
            (limits.operators, 4, FaultKind::Configure),
            (limits.operators, 12, FaultKind::RemoveDeployment),
            (limits.operators, 4, FaultKind::Pause),
            (limits.operators, 4, FaultKind::Resume),
            (limits.operators, 12, FaultKind::EditState),
            (limits.operators, 30, FaultKind::Restart),
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
            FaultKind::BackUp => self.back_up()?,
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
            FaultKind::Pause => self.pause_an_invocation()?,
            FaultKind::Resume => self.resume_an_invocation()?,
            FaultKind::Register => self.register()?,
            FaultKind::MoveDeployment => self.move_a_deployment()?,
            FaultKind::Configure => self.configure_a_service()?,
            FaultKind::RemoveDeployment => self.remove_a_deployment()?,
            FaultKind::EditState => self.edit_state()?,
            FaultKind::Restart => self.restart_an_invocation()?,
        }
        Ok(true)
    }

    /// Sets the wall clock up to an hour forward or back.
    pub(crate) fn set_wall(&mut self) {
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

    pub(crate) fn any_partition(&mut self) -> Result<usize, String> {
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
        let event = Event::AttemptFailedOn { attempt, deployment: None, failure, next };
        self.propose(partition, event, false)
    }
}
