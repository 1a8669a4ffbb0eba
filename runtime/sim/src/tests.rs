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

/// A scripted run is stopped at every fsync, before it and after it, and what was not synced is lost.
#[test]
fn at_every_fsync_a_crash_loses_nothing_acknowledged() {
    let quiet = Limits { crashes: false, cuts: false, jumps: false, ..Limits::default() };
    for seed in [3, 11] {
        let commits = run(seed, &quiet, None).unwrap().commits;
        assert!(commits > 30, "{commits} fsyncs are no script");
        for number in 0..commits {
            for moment in [Moment::Before, Moment::After] {
                let limits = Limits { crash_at: Some((number, moment)), ..quiet.clone() };
                if let Some(fault) = fails(seed, &limits, None) {
                    panic!("seed {seed}, {moment:?} fsync {number}: {fault}");
                }
            }
        }
    }
}

/// How many partitions there are changes nothing that a client can tell.
#[test]
fn one_partition_and_four_are_the_same_to_clients() {
    for seed in 0..100 {
        let heard = |partitions| {
            let limits = Limits {
                crashes: false,
                cuts: false,
                jumps: false,
                partitions: Some(partitions),
                // All operations are the same ones, whenever they start.
                steps: 0,
                ..Limits::default()
            };
            run(seed, &limits, None).unwrap().heard
        };
        let one = heard(1);
        assert_eq!(one.len(), Limits::default().operations);
        assert_eq!(one, heard(4), "seed {seed}");
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
