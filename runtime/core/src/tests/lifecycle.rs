//! One invocation from its request to its removal.

use protocol::{journal::NotificationResult, journal::notification::SignalId};

use super::support::*;
use crate::{
    event::{Event, Rules},
    model::{
        ids::{Lsn, RequestId},
        invocation::{AfterFailure, StatusKind},
    },
    tables::Snapshot,
};

#[test]
fn a_call_runs_sleeps_and_answers() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    assert_eq!(fixture.effects(), "start 1@1 Greeter/greet entries=1 state=[] retries=0");
    let first = attempt(created, created);
    fixture.apply(command(first, sleep(5000, 1)));
    fixture.apply(suspended(first, 1, 1));
    assert_eq!(fixture.effects(), "timer 5000");
    fixture.now_ms = 5000;
    let woken = fixture.apply(timer(5000, created, 1));
    assert_eq!(fixture.effects(), "start 1@4 Greeter/greet entries=3 state=[] retries=0");
    let second = attempt(created, woken);
    fixture.apply(output(second, "done"));
    fixture.apply(output(first, "stale"));
    fixture.apply(ended(first));
    assert_eq!(fixture.effects(), "", "proposals from a stale attempt are ignored");
    fixture.apply(ended(second));
    assert_eq!(fixture.effects(), "completed b\"done\"\nexpiry 65005");
}

#[test]
fn a_timer_is_never_early_and_fires_once() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let first = attempt(created, created);
    fixture.apply(command(first, sleep(5000, 1)));
    fixture.apply(suspended(first, 1, 1));
    fixture.effects();
    for early_ms in [fixture.now_ms, 4998] {
        fixture.now_ms = early_ms;
        fixture.apply(timer(5000, created, 1));
        assert_eq!(fixture.effects(), "", "a shell that is early is not believed");
    }
    fixture.apply(timer(5000, created, 1));
    fixture.apply(timer(5000, created, 1));
    assert_eq!(fixture.effects(), "start 1@6 Greeter/greet entries=3 state=[] retries=0");
}

#[test]
fn a_completion_that_races_the_suspension_is_not_lost() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let first = attempt(created, created);
    fixture.apply(command(first, sleep(0, 1)));
    fixture.effects();
    fixture.apply(timer(0, created, 1));
    assert_eq!(fixture.effects(), "notify 1@1 [2] Sleep c1");
    // The attempt had been shown one entry when it suspended, so the completion is new to it.
    fixture.apply(suspended(first, 1, 1));
    assert_eq!(fixture.effects(), "start 1@4 Greeter/greet entries=3 state=[] retries=0");
}

#[test]
fn what_a_suspended_attempt_has_seen_does_not_wake_it() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let first = attempt(created, created);
    let cancel = SignalId::Index(1);
    let signal =
        Event::SignalReceived { target: id(1), signal: cancel, result: NotificationResult::Void };
    fixture.apply(signal.clone());
    fixture.apply(command(first, sleep(90_000, 1)));
    fixture.effects();
    // The attempt consumed the cancellation at index 1 and still waits for it, as SDKs do.
    fixture.apply(suspended(first, 1, 2));
    assert_eq!(fixture.effects(), "");
    fixture.apply(signal);
    assert_eq!(fixture.effects(), "start 1@5 Greeter/greet entries=4 state=[] retries=0");
}

#[test]
fn a_failed_attempt_is_tried_again_later() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let first = attempt(created, created);
    fixture.effects();
    fixture.apply(failed(first, AfterFailure::Retry { delay_ms: 100, counts: true }));
    assert_eq!(fixture.effects(), "timer 1102");
    fixture.now_ms = 1102;
    let again = fixture.apply(timer(1102, created, 0));
    assert_eq!(fixture.effects(), "start 1@3 Greeter/greet entries=1 state=[] retries=1");
    let second = attempt(created, again);
    // A new command counts as progress.
    fixture.apply(command(second, sleep(9000, 1)));
    assert_eq!(fixture.tables().invocation(created).unwrap().retry_count, 0);
    fixture.apply(failed(second, AfterFailure::Pause));
    let row = fixture.tables().invocation(created).unwrap();
    assert_eq!(row.status.kind(), StatusKind::Paused);
    assert_eq!(row.last_failure.unwrap().message, "boom");
    fixture.effects();
    // Cancelling gets it out of the pause.
    fixture.apply(Event::CancelRequested { request: RequestId(9), target: id(1) });
    assert!(fixture.effects().starts_with("start 1@6"));
}

#[test]
fn kill_ends_it_and_all_that_it_started() {
    use crate::model::invocation::{Callee, Retention};
    use protocol::{
        HandlerKind, ServiceKind,
        journal::{CallRequest, Command},
    };
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let first = attempt(created, created);
    let request = CallRequest {
        service: "Greeter".into(),
        handler: "greet".into(),
        key: String::new(),
        parameter: Default::default(),
        headers: Vec::new(),
        idempotency_key: None,
        scope: None,
        limit_key: None,
    };
    let callee = Callee {
        id: id(2),
        service_kind: ServiceKind::Service,
        handler_kind: HandlerKind::Service,
        retention: Retention::default(),
        random_seed: 1,
    };
    let call = Command::Call { request, invocation_id_completion: 1, result_completion: 2 };
    let called = fixture.apply(command_for(first, call, Some(callee)));
    assert_eq!(
        fixture.effects(),
        "start 1@1 Greeter/greet entries=1 state=[] retries=0\n\
         notify 1@1 [2] CallInvocationId c1\n\
         start 2@2 Greeter/greet entries=1 state=[] retries=0"
    );
    fixture.apply(Event::KillRequested { request: RequestId(5), target: id(1) });
    assert_eq!(
        fixture.effects(),
        "abort 1@1\nfailed 409 killed\nexpiry 61003\nanswer 5 Done\nabort 2@2\nfailed 409 killed"
    );
    assert!(fixture.tables().invocation(called).is_none(), "nothing of it was to be kept");
}

#[test]
fn an_ended_invocation_leaves_nothing_when_its_time_is_up() {
    let mut fixture = Fixture::single();
    fixture.apply(Event::MessagesAcknowledged { by: crate::PartitionId(1), sequence: 0 });
    fixture.checkpoint();
    let empty: Vec<_> = fixture.base.0.keys().cloned().collect();
    let created = fixture.apply(invoked(call(1)));
    let first = attempt(created, created);
    fixture.apply(command(first, sleep(5000, 1)));
    fixture.checkpoint();
    fixture.apply(output(first, "done"));
    fixture.apply(ended(first));
    fixture.checkpoint();
    fixture.now_ms = 61_003;
    fixture.apply(Event::RetentionDue { budget_bytes: u64::MAX, limit: 10 });
    assert!(fixture.tables().invocation(created).is_some(), "not before its time");
    fixture.apply(Event::RetentionDue { budget_bytes: u64::MAX, limit: 10 });
    fixture.checkpoint();
    assert_eq!(fixture.base.0.keys().cloned().collect::<Vec<_>>(), empty);
    assert_eq!(fixture.tables().meta().retained_bytes, 0);
}

#[test]
fn the_oldest_goes_first_when_room_is_short() {
    let mut fixture = Fixture::single();
    for n in 1..=3 {
        let created = fixture.apply(invoked(call(n)));
        fixture.apply(output(attempt(created, created), "x"));
        fixture.apply(ended(attempt(created, created)));
    }
    let one = fixture.tables().meta().retained_bytes / 3;
    fixture.apply(Event::RetentionDue { budget_bytes: one * 2, limit: 10 });
    let left: Vec<_> =
        (1..=3).filter(|n| fixture.tables().invocation_lsn(id(*n)).is_some()).collect();
    assert_eq!(left, [2, 3]);
}

#[test]
fn an_invocation_that_is_not_kept_never_reaches_the_store() {
    let mut fixture = Fixture::single();
    let mut invoke = call_object(1, "k");
    invoke.retention = Default::default();
    let created = fixture.apply(invoked(invoke));
    let first = attempt(created, created);
    fixture.apply(command(first, sleep(5000, 1)));
    fixture.apply(output(first, "x"));
    fixture.apply(ended(first));
    let written: Vec<_> =
        fixture.live.iter().map(|(key, row)| (key.clone(), row.cloned())).collect();
    assert_eq!(written.len(), 1, "the meta row alone: {written:?}");
    assert!(fixture.base.get(&written[0].0).is_none());
    assert_eq!(created, Lsn(1));
}

#[test]
fn a_runs_result_completes_no_sleep() {
    let result_of = |attempt| Event::RunProposed { attempt, completion: 1, result: Ok("x".into()) };
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let first = attempt(created, created);
    fixture.apply(command(first, sleep(5000, 1)));
    fixture.effects();
    fixture.apply(result_of(first));
    assert_eq!(fixture.effects(), "", "kind and id are compared");
    fixture.now_ms = 5000;
    fixture.apply(timer(5000, created, 1));
    assert_eq!(fixture.effects(), "notify 1@1 [2] Sleep c1");
    // Under format 1, it does.
    let mut fixture = Fixture::single();
    fixture.rules = Rules::V1;
    let created = fixture.apply(invoked(call(1)));
    fixture.apply(command(attempt(created, created), sleep(5000, 1)));
    fixture.effects();
    fixture.apply(result_of(attempt(created, created)));
    assert_eq!(fixture.effects(), "notify 1@1 [2] Run c1");
}

#[test]
fn a_failure_before_the_handler_is_not_told_to_the_handler() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let first = attempt(created, created);
    fixture.apply(failed(first, AfterFailure::RetryUnreached { delay_ms: 100, counts: true }));
    fixture.now_ms = 1102;
    fixture.effects();
    let again = fixture.apply(timer(1102, created, 0));
    assert_eq!(fixture.effects(), "start 1@3 Greeter/greet entries=1 state=[] retries=0");
    let second = attempt(created, again);
    fixture.apply(failed(second, AfterFailure::RetryUnreached { delay_ms: 100, counts: false }));
    let row = fixture.tables().invocation(created).unwrap();
    assert_eq!((row.retry_count, row.policy_attempts), (0, 1));
}

#[test]
fn a_delay_counts_from_the_record_whatever_the_sdks_clock_says() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let first = attempt(created, created);
    fixture.effects();
    // By the SDK's clock, the sleep ended long ago, or ends in a thousand years.
    for (said_ms, completion) in [(1, 1), (40_000_000_000_000, 2)] {
        let Event::CommandProposed { attempt, command, callee } =
            command(first, sleep(said_ms, completion))
        else {
            panic!("a command")
        };
        let timed = Event::TimedCommandProposed { attempt, command, callee, delay_ms: 2000 };
        fixture.apply(timed);
        let due_ms = fixture.now_ms + 2000;
        assert_eq!(fixture.effects(), format!("timer {due_ms}"));
    }
    fixture.now_ms += 2000;
    let at_ms = fixture.now_ms;
    fixture.apply(timer(at_ms, created, 2));
    assert!(fixture.effects().starts_with("notify 1@1 [3] Sleep c2"));
}
