//! Every interleaving of threads at the inbox and the waiters: no thread sleeps through an arrival,
//! and every waiting request receives exactly one outcome.

use std::time::Duration;

use loom::{sync::Arc, thread};
use protocol::{InvocationId, PartitionKey, Target};
use runtime_core::{
    Lsn,
    effect::Answer,
    event::Event,
    model::{
        ids::{AttemptRef, RequestId},
        invocation::Completion,
        operation::Outcome,
    },
};

use crate::{
    Full,
    inbox::Inbox,
    lanes::{Bounds, Intake, Limits},
    waiters::{Reply, Waiters},
};

const UNLIMITED: Limits = Limits {
    peer_bytes_max: usize::MAX,
    in_flight_bytes_max: usize::MAX,
    small_bytes_max: 16 << 10,
};
const FOREVER: Duration = Duration::from_secs(3600);
const ALL: Bounds = Bounds {
    intake: Intake::All,
    events_max: usize::MAX,
    bytes_max: usize::MAX,
    log_bytes_max: usize::MAX,
};
const ID: InvocationId = InvocationId { partition_key: PartitionKey(1), uuid: 1 };

fn event() -> Event {
    Event::CancelRequested { request: RequestId(1), target: ID }
}

#[test]
fn a_partition_does_not_sleep_over_an_event() {
    loom::model(|| {
        let inbox = Arc::new(Inbox::new(UNLIMITED));
        let edge = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.force_event(event())
        });
        assert_eq!(inbox.take(FOREVER, ALL).events.len(), 1);
        edge.join().unwrap();
    });
}

#[test]
fn what_came_while_a_batch_was_on_its_way_is_taken_when_it_has_arrived() {
    loom::model(|| {
        let inbox = Arc::new(Inbox::new(UNLIMITED));
        inbox.put(|lanes| lanes.syncing += 1);
        let edge = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.force_event(event())
        });
        let log = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.put(|lanes| lanes.syncing -= 1)
        });
        assert_eq!(inbox.take(FOREVER, ALL).events.len(), 1);
        edge.join().unwrap();
        log.join().unwrap();
    });
}

#[test]
fn a_refusal_and_the_wish_that_follows_it_both_arrive() {
    loom::model(|| {
        let inbox = Arc::new(Inbox::new(UNLIMITED));
        let attempt = AttemptRef { invocation: Lsn(1), attempt: Lsn(1) };
        let invoker = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || {
                inbox.put(|lanes| lanes.notices.refused.push((attempt, Full::All)));
                inbox.put(|lanes| _ = lanes.notices.wanted.insert(Full::All, 1));
            }
        });
        let (mut is_refused, mut is_wanted) = (false, false);
        while !(is_refused && is_wanted) {
            let notices = inbox.take(FOREVER, ALL).notices;
            is_refused |= !notices.refused.is_empty();
            assert!(is_refused || notices.wanted.is_empty(), "the wish is the later word");
            is_wanted |= !notices.wanted.is_empty();
        }
        invoker.join().unwrap();
    });
}

#[test]
fn a_stop_is_heard_whatever_else_is_under_way() {
    loom::model(|| {
        let inbox = Arc::new(Inbox::new(UNLIMITED));
        inbox.put(|lanes| lanes.syncing += 1);
        let node = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.close()
        });
        assert!(inbox.take(FOREVER, ALL).notices.stop);
        node.join().unwrap();
    });
}

fn completion() -> std::sync::Arc<Completion> {
    let target = Target::new("Greeter", "", "greet");
    std::sync::Arc::new(Completion { result: Ok(bytes::Bytes::new()), expires_at: None, target })
}

#[test]
fn who_waits_for_an_answer_and_an_end_hears_the_first_of_them() {
    loom::model(|| {
        let waiters = Arc::new(Waiters::default());
        let mut place = waiters.wait(RequestId(1), Some(ID));
        let answering = thread::spawn({
            let waiters = Arc::clone(&waiters);
            move || waiters.answer(RequestId(1), Answer::Operated(Outcome::Done))
        });
        waiters.completed(ID, &completion());
        answering.join().unwrap();
        let heard = place.receiver.try_recv().expect("one of the two is heard");
        assert!(matches!(heard, Reply::Answer(_) | Reply::Completed(_)));
    });
}

#[test]
fn who_goes_away_leaves_nothing_behind_and_disturbs_nobody() {
    loom::model(|| {
        let waiters = Arc::new(Waiters::default());
        let going = thread::spawn({
            let waiters = Arc::clone(&waiters);
            move || drop(waiters.wait(RequestId(1), Some(ID)))
        });
        let mut place = waiters.wait(RequestId(2), Some(ID));
        waiters.completed(ID, &completion());
        going.join().unwrap();
        assert!(place.receiver.try_recv().is_ok(), "the remaining waiter is notified");
        drop(place);
        assert!(waiters.is_empty());
    });
}
