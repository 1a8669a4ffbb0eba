//! Two thousand worlds; and worlds with a part of the design left out, which must be noticed.

use super::{shrink::fails, *};

/// Worlds in the default tests; `cargo xtask sim --seeds N` runs more.
const SEEDS: u64 = 2000;

fn worlds(from: u64, to: u64) {
    let limits = Limits::default();
    for seed in from..to {
        if let Some(fault) = fails(seed, &limits, None) {
            panic!("seed {seed}: {fault}");
        }
    }
}

#[test]
fn the_first_half_of_the_worlds() {
    worlds(0, SEEDS / 2);
}

#[test]
fn the_second_half_of_the_worlds() {
    worlds(SEEDS / 2, SEEDS);
}

#[test]
fn the_same_seed_is_the_same_world() {
    for seed in 0..50 {
        let limits = Limits::default();
        assert_eq!(run(seed, &limits, None), run(seed, &limits, None));
    }
}

fn is_caught(sabotage: Sabotage) {
    let limits = Limits::default();
    let caught = (0..SEEDS).find_map(|seed| Some((seed, fails(seed, &limits, Some(sabotage))?)));
    assert!(caught.is_some(), "{sabotage:?} is not noticed within {SEEDS} worlds");
}

#[test]
fn effects_before_fsync_are_noticed() {
    is_caught(Sabotage::EffectsBeforeFsync);
}

#[test]
fn missing_fencing_is_noticed() {
    is_caught(Sabotage::NoFencing);
}

#[test]
fn missing_dedup_is_noticed() {
    is_caught(Sabotage::NoDedup);
}
