//! Runs hundreds of seeds, and seeds with part of the design disabled, which must be noticed.

use super::{
    shrink::{fails, try_run},
    *,
};

/// Seeds per default test run; `cargo xtask sim --seeds N` runs more.
const SEEDS: u64 = 240;

fn worlds_of(limits: &Limits, from: u64, to: u64) -> Stats {
    let mut stats = Stats::default();
    for seed in from..to {
        match try_run(seed, limits, None) {
            Ok(report) => stats.merge(&report.stats),
            Err(fault) => panic!("seed {seed}, lossy {}: {fault}", limits.lossy),
        }
    }
    stats
}

/// Runs the seeds, and some of them with lossy links between partitions; every fault must have had
/// an effect.
fn worlds(from: u64, to: u64) {
    let mut stats = worlds_of(&Limits::default(), from, to);
    let lossy = Limits { lossy: true, ..Limits::default() };
    stats.merge(&worlds_of(&lossy, from, from + (to - from) / 4));
    println!("{stats}");
    let toothless = stats.toothless();
    assert!(toothless.is_empty(), "faults that never had an effect: {toothless:?}\n{stats}");
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
    for seed in 0..20 {
        let limits = Limits::default();
        assert_eq!(run(seed, &limits, None), run(seed, &limits, None));
    }
}

/// Stops a scripted run before and after every fsync, and loses whatever was not synced.
#[test]
fn at_every_fsync_a_crash_loses_nothing_acknowledged() {
    let quiet = Limits { steps: 2400, ..Limits::quiet() };
    for seed in [3, 11] {
        let commits = run(seed, &quiet, None).unwrap().commits;
        assert!(commits > 20, "{commits} fsyncs are no script");
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

/// The number of partitions makes no difference that a client can observe.
#[test]
fn one_partition_and_four_are_the_same_to_clients() {
    for seed in 0..40 {
        let heard = |partitions| {
            let limits = Limits {
                partitions: Some(partitions),
                // All operations are the same, whenever they start.
                steps: 0,
                ..Limits::quiet()
            };
            run(seed, &limits, None).unwrap().heard
        };
        let one = heard(1);
        assert_eq!(one.len(), Limits::default().operations);
        assert_eq!(one, heard(4), "seed {seed}");
    }
}

/// Every sabotage is noticed within this many seeds; most within a few.
const SABOTAGED_SEEDS: u64 = 400;

fn is_noticed(sabotage: Sabotage) {
    let limits = sabotage.limits();
    let noticed =
        (0..SABOTAGED_SEEDS).find_map(|seed| Some((seed, fails(seed, &limits, Some(sabotage))?)));
    let Some((seed, fault)) = noticed else {
        panic!("{sabotage:?} is not noticed within {SABOTAGED_SEEDS} seeds");
    };
    // Without the sabotage the same seed passes, so the sabotage is what was noticed.
    assert_eq!(fails(seed, &limits, None), None, "seed {seed} fails without {sabotage:?}");
    println!("{sabotage:?}: noticed after {} seeds: {fault}", seed + 1);
}

macro_rules! noticed {
    ($($name:ident: $sabotage:ident,)*) => {$(
        #[test]
        fn $name() {
            is_noticed(Sabotage::$sabotage);
        }
    )*};
}

noticed! {
    effects_before_fsync_are_noticed: EffectsBeforeFsync,
    reads_before_fsync_are_noticed: ReadsBeforeFsync,
    missing_fencing_is_noticed: NoFencing,
    missing_dedup_is_noticed: NoDedup,
    recovery_without_sync_is_noticed: RecoveryWithoutSync,
    unsorted_hand_over_is_noticed: UnsortedHandOver,
    forgotten_room_is_noticed: ForgottenRoom,
    stamps_of_before_a_restart_are_noticed: ClockNotAdvanced,
    an_answer_that_comes_twice_is_noticed: AnsweredTwice,
    a_replay_that_is_shown_again_is_noticed: ShownAgain,
    an_ignored_failure_of_the_log_is_noticed: LogFailureIgnored,
    a_completion_acknowledged_early_is_noticed: CompletionAcknowledgedEarly,
    a_prefix_that_is_too_long_is_noticed: PrefixTooLong,
    a_backup_that_ends_before_its_tables_is_noticed: CutBeforeTables,
    a_backup_that_ends_earlier_for_one_partition_is_noticed: CutOfOneEarlier,
}
