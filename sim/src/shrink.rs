//! Shrinks a failing simulation: fewer operations, fewer steps, fewer kinds of faults.

use std::cell::Cell;
use std::sync::Once;

use crate::{Limits, Report, Sabotage, run};

/// Reduces the limits of a failing seed while it still fails; returns them with the last failure.
pub fn shrink(seed: u64, limits: &Limits, sabotage: Option<Sabotage>) -> (Limits, String) {
    let mut limits = limits.clone();
    let mut fault = fails(seed, &limits, sabotage).unwrap_or_default();
    loop {
        let candidates = [
            Limits { crashes: false, ..limits.clone() },
            Limits { backups: false, ..limits.clone() },
            Limits { power_cuts: false, ..limits.clone() },
            Limits { disk_errors: false, ..limits.clone() },
            Limits { full_disks: false, ..limits.clone() },
            Limits { slow_syncs: false, ..limits.clone() },
            Limits { overload: false, ..limits.clone() },
            Limits { operators: false, ..limits.clone() },
            Limits { cuts: false, ..limits.clone() },
            Limits { outages: false, ..limits.clone() },
            Limits { jumps: false, ..limits.clone() },
            Limits { operations: limits.operations / 2, ..limits.clone() },
            Limits { operations: limits.operations.saturating_sub(1), ..limits.clone() },
            Limits { steps: limits.steps / 2, ..limits.clone() },
            Limits { steps: limits.steps * 9 / 10, ..limits.clone() },
        ];
        let smaller = candidates
            .into_iter()
            .filter(|candidate| *candidate != limits)
            .find_map(|candidate| Some((fails(seed, &candidate, sabotage)?, candidate)));
        match smaller {
            Some((smaller_fault, smaller)) => (fault, limits) = (smaller_fault, smaller),
            None => return (limits, fault),
        }
    }
}

/// Runs a simulation and returns its failure, if any; a panic counts as one.
pub fn fails(seed: u64, limits: &Limits, sabotage: Option<Sabotage>) -> Option<String> {
    try_run(seed, limits, sabotage).err()
}

thread_local! {
    static IS_IN_WORLD: Cell<bool> = const { Cell::new(false) };
}

/// Suppresses panic output. A panic inside a simulation is either its failure or the expected end
/// of a node; both are reported elsewhere, and capturing a backtrace would cost more than the
/// simulation.
fn silence_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IS_IN_WORLD.get() {
                before(panic);
            }
        }));
    });
}

/// Runs a simulation.
///
/// # Errors
/// Returns its failure; a panic counts as one.
pub fn try_run(seed: u64, limits: &Limits, sabotage: Option<Sabotage>) -> Result<Report, String> {
    silence_panics();
    IS_IN_WORLD.set(true);
    let outcome = std::panic::catch_unwind(|| run(seed, limits, sabotage));
    IS_IN_WORLD.set(false);
    match outcome {
        Ok(outcome) => outcome,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(format!("panic: {}", text.unwrap_or_default()))
        }
    }
}
