//! What a turn waits for, and when a checkpoint is due. How turns, recovery and checkpoints work
//! together is the simulator's business.

use std::time::Duration;

use runtime_core::{
    event::{Event, RequestId},
    time::Timestamp,
};

use crate::{checkpoint::Schedule, inbox::Inbox, random};

/// Never reached: whoever waits for as long as this is woken.
const FOREVER: Duration = Duration::from_secs(3600);
/// Not waiting at all would be taking whatever is there.
const A_MOMENT: Duration = Duration::from_millis(1);

fn event() -> Event {
    let id = protocol::InvocationId { partition_key: protocol::PartitionKey(0), uuid: 1 };
    Event::CancelRequested { request: RequestId(1), target: id }
}

#[test]
fn events_that_come_in_while_a_batch_syncs_share_the_next_turn() {
    let inbox = Inbox::new();
    inbox.force_event(event());
    assert_eq!(inbox.take(FOREVER, usize::MAX).events.len(), 1, "an idle log makes nobody wait");
    inbox.put(|arrivals| arrivals.syncing += 1);
    inbox.force_event(event());
    std::thread::scope(|scope| {
        let turn = scope.spawn(|| inbox.take(FOREVER, usize::MAX).events.len());
        inbox.force_event(event());
        inbox.put(|arrivals| arrivals.syncing -= 1);
        assert_eq!(turn.join().unwrap(), 2);
    });
}

#[test]
fn a_full_batch_and_bad_news_do_not_wait_for_the_log() {
    let inbox = Inbox::new();
    inbox.put(|arrivals| arrivals.syncing += 1);
    (0..512).for_each(|_| inbox.force_event(event()));
    assert_eq!(inbox.take(FOREVER, usize::MAX).events.len(), 512);
    inbox.put(|arrivals| arrivals.log_failed = true);
    assert!(inbox.take(FOREVER, usize::MAX).log_failed);
}

#[test]
fn edges_wait_while_the_overlay_is_full_and_others_do_not() {
    let inbox = Inbox::new();
    inbox.force_event(event());
    assert_eq!(inbox.take(A_MOMENT, 0).events.len(), 0);
    inbox.put(|arrivals| arrivals.peers.push(event()));
    let taken = inbox.take(FOREVER, 0);
    assert_eq!((taken.peers.len(), taken.events.len()), (1, 0));
    assert_eq!(inbox.take(FOREVER, 10).events.len(), 1, "nothing is lost");
}

#[test]
fn a_checkpoint_is_due_by_time_or_by_size_and_little_may_wait() {
    let mut schedule = Schedule::new(Duration::from_secs(1), 8000, 0);
    let second = 1_000_000;
    assert!(!schedule.is_due(second - 1, 1000));
    assert!(schedule.is_due(second, 1000));
    assert!(!schedule.is_due(second, 999), "little");
    assert!(schedule.is_due(5 * second, 999));
    assert!(schedule.is_due(1, 8000), "much");
    assert_eq!(schedule.next(0), None, "nothing");
    assert_eq!(schedule.next(999), Some(Timestamp(5000)));
    assert_eq!(schedule.next(1000), Some(Timestamp(1000)));
    schedule.started();
    assert!(!schedule.is_due(9 * second, 8000), "one at a time");
    assert!(schedule.is_overloaded(16_000));
    schedule.finished(9 * second);
    assert!(!schedule.is_overloaded(16_000));
    assert_eq!(schedule.next(1000), Some(Timestamp(10_000)));
}

/// Splitmix64 gives its whole state away with one number; so did the generator here once.
#[test]
fn no_number_says_what_the_next_one_is() {
    fn unshift(value: u64, by: u32) -> u64 {
        (1..64 / by + 1).fold(value, |undone, _| value ^ (undone >> by))
    }
    fn state(mut z: u64) -> u64 {
        z = unshift(z, 31).wrapping_mul(0x3196_42b2_d24d_8ec3);
        z = unshift(z, 27).wrapping_mul(0x96de_1b17_3f11_9089);
        unshift(z, 30)
    }
    fn next(state: u64) -> u64 {
        let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    assert_eq!(state(next(41)), 41u64.wrapping_add(0x9e37_79b9_7f4a_7c15), "it can be undone");
    let seen = random::next_u64();
    assert_ne!(next(state(seen)), random::next_u64());
    let (high, low) = (random::next_u128(), random::next_u128());
    assert_ne!(high >> 64, low >> 64);
    assert_ne!(random::bytes::<32>(), random::bytes::<32>());
}
