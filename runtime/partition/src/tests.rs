//! What a turn waits for, and when a checkpoint is due. The simulator tests how turns, recovery and
//! checkpoints work together.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::FutureExt;
use protocol::{
    journal::{Entry, NotificationResult, notification::SignalId},
    wire::MessageType,
};
use runtime_core::{
    Lsn,
    event::Event,
    model::{
        ids::{AttemptRef, PartitionId, RequestId},
        invocation::{Invoke, Retention, Source},
        message::Message,
    },
    tables::Tables,
    time::{Stamp, Timestamp},
};

use crate::{
    checkpoint::Schedule,
    driver::Settings,
    inbox::Inbox,
    lanes::{Bounds, EVENT_BYTES, Intake, Lane, Limits, Read, SendReply},
    random,
};

/// Never reached: a thread that waits this long is woken.
const FOREVER: Duration = Duration::from_secs(3600);
/// Not zero: a turn that does not wait takes whatever is there.
const A_MOMENT: Duration = Duration::from_millis(1);

const UNLIMITED: Limits = Limits {
    peer_bytes_max: usize::MAX,
    in_flight_bytes_max: usize::MAX,
    small_bytes_max: 16 << 10,
};

fn event() -> Event {
    let id = protocol::InvocationId { partition_key: protocol::PartitionKey(0), uuid: 1 };
    Event::CancelRequested { request: RequestId(1), target: id }
}

/// A message from another partition with a payload of `bytes` bytes.
fn message(sequence: u64, bytes: usize) -> Event {
    let to = protocol::InvocationId { partition_key: protocol::PartitionKey(0), uuid: 1 };
    let result = NotificationResult::Value(vec![0; bytes].into());
    let message = Message::Signal { to, signal: SignalId::Index(17), result };
    Event::MessageReceived { from: PartitionId(1), sequence, message }
}

/// An event of a running attempt with a payload of `bytes` bytes.
fn result(bytes: usize) -> Event {
    let attempt = AttemptRef { invocation: Lsn(1), attempt: Lsn(1) };
    Event::RunProposed { attempt, completion: 1, result: Ok(vec![0; bytes].into()) }
}

const ALL: Bounds = Bounds {
    intake: Intake::All,
    events_max: usize::MAX,
    bytes_max: usize::MAX,
    log_bytes_max: usize::MAX,
};
const HOLD: Bounds = Bounds { intake: Intake::Hold, ..ALL };
const RESERVE: Bounds = Bounds { intake: Intake::Reserve, ..ALL };

fn taken(inbox: &Inbox, bounds: Bounds) -> usize {
    inbox.take(FOREVER, bounds).events.len()
}

#[test]
fn events_that_come_in_while_a_batch_syncs_share_the_next_turn() {
    let inbox = Inbox::new(UNLIMITED);
    inbox.force_event(event());
    assert_eq!(taken(&inbox, ALL), 1, "an idle log makes nobody wait");
    inbox.put(|lanes| lanes.syncing += 1);
    inbox.force_event(event());
    std::thread::scope(|scope| {
        let turn = scope.spawn(|| taken(&inbox, ALL));
        inbox.force_event(event());
        inbox.put(|lanes| lanes.syncing -= 1);
        assert_eq!(turn.join().unwrap(), 2);
    });
}

#[test]
fn a_full_batch_and_bad_news_do_not_wait_for_the_log() {
    let inbox = Inbox::new(UNLIMITED);
    inbox.put(|lanes| lanes.syncing += 1);
    (0..512).for_each(|_| inbox.force_event(event()));
    assert_eq!(taken(&inbox, ALL), 512);
    inbox.put(|lanes| lanes.notices.log_failed = true);
    assert!(inbox.take(FOREVER, ALL).notices.log_failed);
}

#[test]
fn health_checks_wait_for_nothing_else() {
    let inbox = Inbox::new(UNLIMITED);
    inbox.put(|lanes| lanes.syncing += 1);
    inbox.force_event(event());
    let _ping = crate::health::ping(&inbox);
    assert_eq!(inbox.take(FOREVER, RESERVE).notices.pings.len(), 1);
}

#[test]
fn edges_and_peers_wait_while_the_overlay_is_full_and_operators_do_not() {
    let inbox = Inbox::new(UNLIMITED);
    inbox.force_event(result(1));
    assert_eq!(inbox.take(A_MOMENT, HOLD).events.len(), 0);
    inbox.force_event(event());
    inbox.put(|lanes| lanes.peers.push(Stamp(1), message(1, 1)));
    assert_eq!(taken(&inbox, HOLD), 1, "a message may bring large rows, too");
    assert_eq!(taken(&inbox, ALL), 2, "nothing is lost");
}

#[test]
fn everything_waits_while_too_much_is_on_its_way_to_disk() {
    let inbox = Inbox::new(Limits { in_flight_bytes_max: 100, ..UNLIMITED });
    inbox.force_event(event());
    inbox.put(|lanes| lanes.peers.push(Stamp(1), message(1, 1)));
    inbox.put(|lanes| lanes.in_flight_bytes += 100);
    let first = inbox.take(A_MOMENT, ALL);
    assert!(first.is_full && first.events.is_empty());
    std::thread::scope(|scope| {
        let turn = scope.spawn(|| taken(&inbox, ALL));
        inbox.put(|lanes| lanes.in_flight_bytes -= 1);
        assert_eq!(turn.join().unwrap(), 2);
    });
}

#[test]
fn what_a_turn_does_not_get_to_is_the_first_thing_that_the_next_one_takes() {
    let inbox = Inbox::new(UNLIMITED);
    (1..3).for_each(|sequence| inbox.put(|lanes| lanes.peers.push(Stamp(1), message(sequence, 1))));
    (1..4).for_each(|bytes| inbox.force_event(result(bytes)));
    let all = inbox.take(FOREVER, ALL);
    inbox.put(|lanes| lanes.peers.push(Stamp(1), message(3, 1)));
    inbox.force_event(result(9));
    let left = all.events[1..].to_vec();
    inbox.put(|lanes| lanes.put_back(left, Vec::new()));
    let next = inbox.take(FOREVER, ALL);
    let messages = [message(2, 1), message(3, 1)];
    let results = [result(1), result(2), result(3), result(9)];
    assert_eq!(next.events, [&messages[..], &results[..]].concat());
}

#[test]
fn a_read_sees_every_event_that_was_put_in_before_it() {
    let inbox = Inbox::new(UNLIMITED);
    let read = || Box::new(|_: &Tables<'_>| Box::new(|| ()) as SendReply);
    inbox.force_event(result(1));
    inbox.force_event(result(1));
    inbox.put(|lanes| lanes.push_read(Read::Look(read())));
    inbox.force_event(result(1));
    let first = inbox.take(FOREVER, Bounds { events_max: 1, ..ALL });
    assert_eq!((first.events.len(), first.reads.len()), (1, 0), "one of its events is left");
    let second = inbox.take(FOREVER, Bounds { events_max: 1, ..ALL });
    assert_eq!((second.events.len(), second.reads.len()), (1, 1));
    // Events may be held back for long, and have not been acknowledged.
    inbox.put(|lanes| lanes.push_read(Read::Look(read())));
    assert_eq!(inbox.take(FOREVER, HOLD).reads.len(), 1);
}

/// Otherwise a reader that keeps the partitions alive would wait forever.
#[test]
fn a_read_that_nobody_will_answer_is_let_go_of() {
    let inbox = Inbox::new(UNLIMITED);
    let (told, hears) = std::sync::mpsc::channel::<()>();
    let read = || {
        let told = told.clone();
        Box::new(move |_: &Tables<'_>| Box::new(move || drop(told)) as SendReply)
    };
    inbox.put(|lanes| lanes.push_read(Read::Look(read())));
    inbox.force_event(event());
    inbox.close();
    inbox.put(|lanes| lanes.push_read(Read::Look(read())));
    drop(told);
    assert!(hears.recv().is_err(), "nobody has it any more");
    let left = inbox.take(FOREVER, ALL);
    assert!(left.notices.stop && left.reads.is_empty() && left.events.len() == 1);
}

#[test]
fn a_turn_is_bounded_by_bytes_and_takes_one_event_whatever_it_has() {
    let inbox = Inbox::new(UNLIMITED);
    (0..129).for_each(|_| inbox.force_event(result(32 << 20)));
    let bounds = Bounds { bytes_max: 32 << 20, ..ALL };
    assert_eq!(taken(&inbox, bounds), 1);
    (1..4).for_each(|sequence| {
        inbox.put(|lanes| lanes.peers.push(Stamp(1), message(sequence, 15 << 20)))
    });
    let first = inbox.take(FOREVER, bounds);
    assert_eq!(first.events.len(), 2, "peers take half a turn, and what crosses it");
    let small = Inbox::new(UNLIMITED);
    (0..100).for_each(|_| small.force_event(result(0)));
    let bounds = Bounds { bytes_max: 10 * EVENT_BYTES, ..ALL };
    assert_eq!(taken(&small, bounds), 10, "an event without a payload is not free");
    // The log has less space than there is memory.
    (0..3).for_each(|_| small.force_event(result(3 << 20)));
    let bounds = Bounds { log_bytes_max: 7 << 20, ..ALL };
    let turns = [taken(&small, bounds), small.take(A_MOMENT, bounds).events.len()];
    assert_eq!(turns, [92, 1], "90 small ones and two of the three");
}

#[test]
fn on_a_nearly_full_disk_new_work_is_refused_running_work_waits_and_operators_go_on() {
    let inbox = Inbox::new(UNLIMITED);
    inbox.force_event(invoked());
    inbox.force_event(result(1));
    inbox.force_event(event());
    let first = inbox.take(FOREVER, RESERVE);
    assert_eq!((first.disk_full.len(), first.events.len()), (1, 1));
    inbox.put(|lanes| lanes.syncing += 1);
    inbox.force_event(event());
    assert_eq!(inbox.take(A_MOMENT, RESERVE).events.len(), 0, "one batch at a time");
    inbox.put(|lanes| lanes.syncing -= 1);
    assert_eq!(taken(&inbox, RESERVE), 1);
    assert_eq!(taken(&inbox, ALL), 1, "what ran goes on");
}

#[tokio::test]
async fn permits_that_are_given_back_are_those_that_were_taken() {
    let inbox = Inbox::new(UNLIMITED);
    // Larger than the lane, many together, and one by one: in the end all permits are back.
    inbox.push_events(vec![result(100 << 20)]).await.unwrap();
    let [smallest, large, largest] = [0, 2, 3];
    assert_eq!(inbox.free(Lane::Running, largest), 0);
    let free = inbox.free(Lane::Control, largest);
    assert_eq!(free, inbox.free(Lane::New, largest), "the other lanes are free");
    assert_eq!(free, inbox.free(Lane::Running, large), "and the other sizes");
    taken(&inbox, ALL);
    assert_eq!(inbox.free(Lane::Running, largest), free);
    inbox.push_events((0..9000).map(|_| result(10)).collect()).await.unwrap();
    taken(&inbox, ALL);
    assert_eq!(inbox.free(Lane::Running, smallest), free);
    inbox.push_events(vec![result(1 << 20), result(2 << 20)]).await.unwrap();
    assert_eq!(inbox.free(Lane::Running, large), free - (3 << 20) - 2 * EVENT_BYTES);
    inbox.push_events(vec![event()]).await.unwrap();
    taken(&inbox, ALL);
    assert_eq!(inbox.free(Lane::Running, large), free);
    assert_eq!(inbox.free(Lane::Control, smallest), free);
}

/// They wait before they are counted, so that small events overtake them.
#[tokio::test]
async fn large_events_wait_outside_while_the_tables_are_behind() {
    let inbox = Inbox::new(UNLIMITED);
    inbox.let_in(0);
    let mut large = Box::pin(inbox.push_events(vec![result(17 << 10)]));
    assert!((&mut large).now_or_never().is_none());
    inbox.push_events(vec![result(10)]).now_or_never().expect("it has little to say").unwrap();
    inbox.push_events(vec![event()]).now_or_never().expect("operators go on").unwrap();
    assert_eq!(taken(&inbox, ALL), 2);
    let mut larger = Box::pin(inbox.push_events(vec![result(18 << 10)]));
    inbox.let_in(17 << 10);
    large.now_or_never().expect("it leaves room for more").unwrap();
    assert!((&mut larger).now_or_never().is_none());
    inbox.let_in(usize::MAX);
    larger.now_or_never().expect("the tables have caught up").unwrap();
    assert_eq!(taken(&inbox, ALL), 2);
    // A node that stops releases waiting callers.
    inbox.let_in(0);
    let mut large = Box::pin(inbox.push_events(vec![result(17 << 10)]));
    assert!((&mut large).now_or_never().is_none());
    inbox.close();
    inbox.let_in(0);
    assert_eq!(large.now_or_never(), Some(Err(crate::Stopped)));
}

/// Otherwise what it proposes would pile up behind its event that waits.
#[tokio::test]
async fn an_attempt_whose_event_waits_for_a_checkpoint_proposes_nothing_more() {
    let inbox = Inbox::new(UNLIMITED);
    inbox.hold_back(&BTreeSet::from([Lsn(1)]));
    let mut held = Box::pin(inbox.push_events(vec![result(10)]));
    assert!((&mut held).now_or_never().is_none());
    inbox.push_events(vec![event()]).now_or_never().expect("others go on").unwrap();
    inbox.hold_back(&BTreeSet::from([Lsn(2)]));
    held.now_or_never().expect("its event was applied").unwrap();
    // A node that stops releases waiting callers.
    inbox.hold_back(&BTreeSet::from([Lsn(1)]));
    let mut held = Box::pin(inbox.push_events(vec![result(10)]));
    assert!((&mut held).now_or_never().is_none());
    inbox.close();
    inbox.hold_back(&BTreeSet::from([Lsn(1)]));
    assert_eq!(held.now_or_never(), Some(Err(crate::Stopped)));
}

#[tokio::test]
async fn what_is_small_does_not_wait_for_large_events_to_get_in() {
    let inbox = Inbox::new(UNLIMITED);
    let push = |bytes: usize| Box::pin(inbox.push_events(vec![result(bytes)]));
    push(8 << 20).now_or_never().expect("there is room for one").unwrap();
    let mut second = push(8 << 20);
    assert!((&mut second).now_or_never().is_none());
    for bytes in [1 << 20, 100 << 10, 10 << 10, 10] {
        push(bytes).now_or_never().expect("it has room of its own").unwrap();
    }
    assert_eq!(taken(&inbox, ALL), 5);
    second.now_or_never().expect("the first is gone").unwrap();
}

fn invoked() -> Event {
    let id = protocol::InvocationId { partition_key: protocol::PartitionKey(0), uuid: 1 };
    Event::Invoked(Box::new(Invoke {
        id,
        target: protocol::Target::new("Greeter", "", "greet"),
        service_kind: protocol::ServiceKind::Service,
        handler_kind: protocol::HandlerKind::Service,
        source: Source::IngressSend { request: RequestId(1) },
        input: Entry { ty: MessageType::INPUT_COMMAND, body: Vec::new().into() },
        start_at: None,
        idempotency_key: None,
        scope: None,
        limit_key: None,
        retention: Retention::default(),
        random_seed: 1,
    }))
}

fn schedule(overlay_bytes_max: usize) -> Schedule {
    Schedule::new(&Settings { overlay_bytes_max, ..Settings::default() }, 0)
}

#[test]
fn a_checkpoint_is_due_by_time_or_by_size_and_little_may_wait() {
    let mut schedule = schedule(8000);
    let second = 1_000_000;
    assert!(!schedule.is_due(second - 1, 2000));
    assert!(schedule.is_due(second, 2000));
    assert!(!schedule.is_due(second, 1999), "little");
    assert!(schedule.is_due(5 * second, 1999));
    assert!(schedule.is_due(1, 8000), "much");
    assert_eq!(schedule.next(0), None, "nothing");
    assert_eq!(schedule.next(1999), Some(Timestamp(5000)));
    assert_eq!(schedule.next(2000), Some(Timestamp(1000)));
    schedule.started();
    assert!(!schedule.is_due(9 * second, 8000), "one at a time");
    assert!(schedule.is_overloaded(16_000) && !schedule.is_overloaded(15_999));
    schedule.finished(9 * second);
    assert!(!schedule.is_overloaded(16_000));
    assert_eq!(schedule.next(2000), Some(Timestamp(10_000)));
}

#[test]
fn a_few_large_events_do_not_keep_small_ones_out_and_small_ones_are_bounded() {
    let max = 16 << 20;
    let mut schedule = schedule(max);
    schedule.started();
    schedule.applied(31 << 20, 31 << 20);
    assert!(!schedule.is_overloaded(31 << 20), "a body");
    schedule.applied(0, 31 << 20);
    assert!(!schedule.is_overloaded(62 << 20), "an invocation ends with a large result");
    assert!(schedule.is_overloaded(96 << 20), "all of it is bounded, too");
    // As large as the events that are let in at any time, and their rows.
    let payload = UNLIMITED.small_bytes_max;
    let added = payload + 2000;
    let mut overlay = 62 << 20;
    for _ in 0..2 * max / added + 1 {
        schedule.applied(payload, added);
        overlay += added;
    }
    assert!(schedule.is_overloaded(overlay), "small events are bounded");
    schedule.finished(0);
    schedule.started();
    assert!(schedule.is_overloaded(2 * max), "what the last checkpoint had is not counted");
}

#[test]
fn a_payload_leaves_room_for_others_while_a_checkpoint_is_written() {
    let mut schedule = schedule(32 << 20);
    assert_eq!(schedule.payload_bytes_max(64 << 20), usize::MAX, "it begins now");
    schedule.started();
    let max = |overlay_bytes| schedule.payload_bytes_max(overlay_bytes);
    assert_eq!(max((32 << 20) - 1), usize::MAX);
    assert_eq!(max(32 << 20), 512 << 10);
    assert_eq!(max(40 << 20), 256 << 10, "a power of two");
    assert_eq!(max((63 << 20) + 1), 16 << 10, "what is small may always come");
    assert_eq!(max(1 << 30), 16 << 10);
}

/// Splitmix64 reveals its whole state with one output; the generator here once did so, too.
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
