//! Taking the node down, and recovering it.

use crate::{
    checks, limits::Sabotage, media::Media, node::SimNode, sabotage, stats::Fault, world::World,
};

/// What takes a node down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Down {
    /// Power is lost: unsynced data may be lost.
    Power,
    /// The process dies: everything written survives.
    Process,
}

impl World {
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

    /// Stops everything at once and starts a new process.
    pub(crate) fn go_down(&mut self, how: Down) -> Result<(), String> {
        let node = self.take_down()?;
        let media = match how {
            Down::Power => node.lose_power(&mut self.random, &mut self.stats),
            Down::Process => node.kill(&mut self.stats),
        };
        self.come_back(media)
    }

    /// Stops everything at once and starts a new process on other media, restored from a backup.
    pub(crate) fn go_down_and_restore(&mut self, media: Media) -> Result<(), String> {
        let node = self.take_down()?;
        // Its own media are lost.
        drop(node.kill(&mut self.stats));
        self.come_back(media)
    }

    fn take_down(&mut self) -> Result<SimNode, String> {
        self.backup = None;
        self.tasks.clear();
        self.cut_clients_off();
        self.cut_operators_off();
        self.editors.cut_off();
        self.restarters.cut_off();
        self.registrars.cut_off();
        self.slow.steps_left = 0;
        if let Some((at, _)) = self.stalled.take() {
            let waiting = self.node()?.has_peer_events(at);
            self.stats.bite(Fault::Stalled, waiting);
        }
        self.node.take().ok_or_else(|| "there is no node".to_owned())
    }

    fn come_back(&mut self, media: Media) -> Result<(), String> {
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
