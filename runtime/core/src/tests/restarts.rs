//! Invocations that have ended and are run again, from their input or from a prefix of their
//! journal.

use bytes::Bytes;
use protocol::{
    DeploymentId, HandlerKind, ProtocolVersion,
    journal::{
        CallRequest, Command, EntryIndex, NotificationId, NotificationResult,
        awaiting::Outcome as Arrived, notification::SignalId,
    },
    wire::MessageType,
};

use super::support::*;
use crate::{
    effect::{Answer, Effect},
    event::Event,
    invariants,
    invocation::restart::PREFIX_BYTES_MAX,
    model::{
        ids::{AttemptRef, Lsn, RequestId},
        incident::Happened,
        invocation::{
            AfterFailure, Callee, Invocation, Invoke, Pin, Retention, Source, Status, StatusKind,
        },
        operation::{NotRestartable, Operation, Outcome, Restart},
    },
    tables::{
        completion::{CompletionState, Delivery},
        walk::Budget,
    },
};

const ALL: Budget = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };
const PIN: Pin = Pin { deployment: DeploymentId(9), protocol: ProtocolVersion::V6 };

fn restart(new: u128, from: EntryIndex) -> Restart {
    Restart { id: id(new), from, pin: Some(PIN), random_seed: 70 }
}

/// Restarts the invocation with id 1; returns the outcome and the other effects.
fn ask(fixture: &mut Fixture, restart: Restart) -> (Outcome, String) {
    let (request, operator, target) = (RequestId(9), ada("mended"), id(1));
    let operation = Operation::RestartAsNew(restart);
    fixture.effects();
    fixture.apply(Event::OperationRequested { request, operator, target, operation });
    invariants::check(&fixture.tables()).unwrap();
    let is_answer =
        |effect: &mut Effect| matches!(effect, Effect::Answer { request: RequestId(9), .. });
    let answers: Vec<_> = fixture.effects.extract_if(.., is_answer).collect();
    let [Effect::Answer { answer: Answer::Operated(outcome), .. }] = answers[..] else {
        panic!("{answers:?}")
    };
    (outcome, fixture.effects())
}

/// Why a restart is not possible.
fn why_not(fixture: &mut Fixture, restart: Restart) -> NotRestartable {
    let (outcome, effects) = ask(fixture, restart);
    assert_eq!(effects, "", "nothing begins");
    let Outcome::NotRestartable(why) = outcome else { panic!("{outcome:?}") };
    why
}

/// The row of an invocation, and the LSN that created it.
fn row(fixture: &mut Fixture, of: u128) -> (Lsn, Box<Invocation>) {
    let lsn = fixture.tables().invocation_lsn(id(of)).unwrap();
    (lsn, fixture.tables().invocation(lsn).unwrap())
}

/// The types of all entries of a journal.
fn journal(fixture: &mut Fixture, of: u128) -> Vec<MessageType> {
    let (lsn, row) = row(fixture, of);
    fixture.tables().journal(lsn, row.journal_len).iter().map(|entry| entry.ty).collect()
}

fn running(fixture: &mut Fixture, of: u128) -> AttemptRef {
    let (lsn, row) = row(fixture, of);
    let Status::Running { attempt: started } = row.status else { panic!("{:?}", row.status) };
    attempt(lsn, started)
}

fn end(fixture: &mut Fixture, name: AttemptRef) {
    fixture.apply(output(name, "done"));
    fixture.apply(ended(name));
}

/// A named signal for an invocation.
fn signal(of: u128, name: &str) -> Event {
    let (target, signal) = (id(of), SignalId::Name(name.to_owned()));
    Event::SignalReceived { target, signal, result: NotificationResult::Void }
}

/// What is waited for has arrived.
fn has_arrived(fixture: &mut Fixture, of: u128, notification: NotificationId) -> bool {
    let (lsn, _) = row(fixture, of);
    fixture.tables().outcome(lsn, &notification, 0) != Arrived::Pending
}

const INPUT: MessageType = MessageType::INPUT_COMMAND;
const SLEEP: MessageType = MessageType::SLEEP_COMMAND;
const SLEPT: MessageType = MessageType::SLEEP_COMPLETION;
const RUN: MessageType = MessageType::RUN_COMMAND;
const RAN: MessageType = MessageType::RUN_COMPLETION;
const CALL: MessageType = MessageType::CALL_COMMAND;
const CALLED: MessageType = MessageType::CALL_INVOCATION_ID_COMPLETION;
const ANSWERED: MessageType = MessageType::CALL_COMPLETION;
const SIGNAL: MessageType = MessageType::SIGNAL_NOTIFICATION;
const OUTPUT: MessageType = MessageType::OUTPUT_COMMAND;

/// An invocation with id 1 that has ended, with this journal:
/// 0 input, 1 sleep, 2 run, 3 signal, 4 ran, 5 slept, 6 call, 7 callee's id, 8 signal, 9 answer,
/// 10 output.
fn with_journal(of: Invoke) -> Fixture {
    let mut fixture = Fixture::single();
    let lsn = fixture.apply(invoked(of));
    let name = attempt(lsn, lsn);
    fixture.apply(Event::DeploymentPinned { attempt: name, pin: PIN });
    fixture.apply(command(name, sleep(9000, 1)));
    fixture.apply(command(name, Command::Run { completion: 2 }));
    fixture.apply(signal(1, "between"));
    let result = Ok(Bytes::from("ran"));
    fixture.apply(Event::RunProposed { attempt: name, completion: 2, result });
    fixture.now_ms = 9500;
    fixture.apply(timer(9000, lsn, 1));
    let request = CallRequest {
        service: "Greeter".to_owned(),
        handler: "greet".to_owned(),
        parameter: Bytes::new(),
        headers: Vec::new(),
        key: String::new(),
        idempotency_key: None,
        scope: None,
        limit_key: None,
    };
    let call = Command::Call { request, invocation_id_completion: 3, result_completion: 4 };
    let Invoke { service_kind, handler_kind, retention, .. } = super::support::call(5);
    let callee = Callee { id: id(5), service_kind, handler_kind, retention, random_seed: 7 };
    let callee_lsn = fixture.apply(command_for(name, call, Some(callee)));
    fixture.apply(signal(1, "behind"));
    end(&mut fixture, attempt(callee_lsn, callee_lsn));
    end(&mut fixture, name);
    let expected = [INPUT, SLEEP, RUN, SIGNAL, RAN, SLEPT, CALL, CALLED, SIGNAL, ANSWERED, OUTPUT];
    assert_eq!(journal(&mut fixture, 1), expected);
    fixture
}

#[test]
fn without_a_prefix_it_begins_anew_with_its_input() {
    let key = Some("key".to_owned());
    let retention = Retention { completion_ms: 60_000, journal_ms: 50_000 };
    let mut fixture = with_journal(Invoke { idempotency_key: key.clone(), retention, ..call(1) });
    let restart = Restart { pin: None, ..restart(2, 0) };
    let (outcome, effects) = ask(&mut fixture, restart);
    assert_eq!(outcome, Outcome::Restarted(id(2)));
    assert!(effects.ends_with("Greeter/greet entries=1 state=[] retries=0"), "{effects}");
    let (_, new) = row(&mut fixture, 2);
    assert_eq!(new.source, Source::Restarted { from: id(1) });
    assert_eq!((new.pin, new.idempotency_key), (None, None), "it is a new one");
    assert_eq!((new.random_seed, new.retention), (70, retention));
    let (_, old) = row(&mut fixture, 1);
    assert_eq!((old.status.kind(), old.idempotency_key), (StatusKind::Completed, key));
    let name = running(&mut fixture, 2);
    end(&mut fixture, name);
    invariants::check(&fixture.tables()).unwrap();
}

#[test]
fn a_prefix_is_copied_with_the_results_of_its_commands_and_nothing_is_done_again() {
    let of = |from| match from {
        1 => vec![INPUT, SLEEP, SLEPT],
        2 => vec![INPUT, SLEEP, RUN, RAN, SLEPT],
        3 => vec![INPUT, SLEEP, RUN, SIGNAL, RAN, SLEPT],
        5 => vec![INPUT, SLEEP, RUN, SIGNAL, RAN, SLEPT],
        6 => vec![INPUT, SLEEP, RUN, SIGNAL, RAN, SLEPT, CALL, CALLED, ANSWERED],
        8 => vec![INPUT, SLEEP, RUN, SIGNAL, RAN, SLEPT, CALL, CALLED, SIGNAL, ANSWERED],
        _ => panic!("{from}"),
    };
    for from in [1, 2, 3, 5, 6, 8] {
        let mut fixture = with_journal(call(1));
        let (outcome, effects) = ask(&mut fixture, restart(2, from));
        assert_eq!(outcome, Outcome::Restarted(id(2)));
        let expected = of(from);
        let started = format!("entries={} state=[] retries=0", expected.len());
        assert!(effects.starts_with("start") && effects.ends_with(&started), "{effects}");
        assert_eq!(effects.lines().count(), 1, "no call, no timer: {effects}");
        assert_eq!(journal(&mut fixture, 2), expected, "from {from}");
        let (lsn, new) = row(&mut fixture, 2);
        let commands = expected.iter().filter(|ty| ty.is_command()).count();
        assert_eq!((new.commands as usize, new.output), (commands, None));
        assert_eq!((new.pin, new.random_seed), (Some(PIN), 7), "it repeats its prefix there");
        let slept = expected.iter().position(|ty| *ty == SLEPT).unwrap();
        let slept = Delivery { index: EntryIndex::try_from(slept).unwrap(), failed: false };
        let completion = fixture.tables().completion(lsn, 1);
        assert_eq!(completion, Some(CompletionState::Done(slept)));
        for (name, since) in [("between", 3), ("behind", 8)] {
            let signal = NotificationId::Signal(SignalId::Name(name.to_owned()));
            assert_eq!(has_arrived(&mut fixture, 2, signal), from >= since, "{name} in {from}");
        }
        // It goes on like any other.
        let name = running(&mut fixture, 2);
        fixture.apply(command(name, Command::Run { completion: 5 }));
        fixture.apply(suspended(name, 5, new.journal_len + 1));
        fixture.apply(signal(2, "behind"));
        invariants::check(&fixture.tables()).unwrap();
        assert_eq!(row(&mut fixture, 2).1.status.kind(), StatusKind::Suspended);
    }
}

#[test]
fn a_prefix_with_the_output_only_ends() {
    let mut fixture = with_journal(call(1));
    ask(&mut fixture, restart(2, 10));
    assert_eq!(row(&mut fixture, 2).1.output, Some(10));
    let name = running(&mut fixture, 2);
    fixture.effects();
    fixture.apply(ended(name));
    assert!(fixture.effects().contains("completed b\"done\""));
}

#[test]
fn a_command_without_its_result_can_only_be_left_out() {
    let mut fixture = Fixture::single();
    let lsn = fixture.apply(invoked(call(1)));
    let name = attempt(lsn, lsn);
    fixture.apply(Event::DeploymentPinned { attempt: name, pin: PIN });
    for completion in [1, 2, 3] {
        fixture.apply(command(name, Command::Run { completion }));
    }
    let result = Ok(Bytes::new());
    fixture.apply(Event::RunProposed { attempt: name, completion: 1, result });
    fixture.apply(Event::KillRequested { request: RequestId(3), target: id(1) });
    for from in [2, 3, 4] {
        let uncompleted = NotRestartable::Uncompleted { command: 2 };
        assert_eq!(why_not(&mut fixture, restart(2, from)), uncompleted, "from {from}");
    }
    assert_eq!(ask(&mut fixture, restart(2, 1)).0, Outcome::Restarted(id(2)));
    assert_eq!(journal(&mut fixture, 2), [INPUT, RUN, RAN]);
}

#[test]
fn only_what_has_ended_is_restarted() {
    let mut fixture = Fixture::single();
    assert_eq!(ask(&mut fixture, restart(2, 0)).0, Outcome::NotFound);
    let lsn = fixture.apply(invoked(call(1)));
    let name = attempt(lsn, lsn);
    let refused = |kind| (Outcome::Refused(kind), String::new());
    assert_eq!(ask(&mut fixture, restart(2, 0)), refused(StatusKind::Running));
    fixture.apply(failed(name, AfterFailure::Pause));
    assert_eq!(ask(&mut fixture, restart(2, 0)), refused(StatusKind::Paused));
    let delayed = Invoke { start_at: Some(crate::time::Timestamp(900_000)), ..call(1) };
    let mut fixture = Fixture::single();
    fixture.apply(invoked(delayed));
    assert_eq!(ask(&mut fixture, restart(2, 0)), refused(StatusKind::Scheduled));
}

#[test]
fn what_cannot_be_restarted_says_why() {
    let mut fixture = with_journal(call(1));
    let no_such = NotRestartable::NoSuchEntry { entries: 11 };
    assert_eq!(why_not(&mut fixture, restart(2, 11)), no_such);
    let v7 = Pin { protocol: ProtocolVersion::V7, ..PIN };
    for pin in [None, Some(v7)] {
        let moved = Restart { pin, ..restart(2, 1) };
        assert_eq!(why_not(&mut fixture, moved), NotRestartable::Mistaken);
    }
    let (request, operator, target) = (RequestId(3), ada("mended"), id(1));
    let operation = Operation::PurgeJournal;
    fixture.apply(Event::OperationRequested { request, operator, target, operation });
    assert_eq!(why_not(&mut fixture, restart(2, 0)), NotRestartable::NoJournal);

    let mut fixture = Fixture::single();
    let lsn = fixture.apply(invoked(call_workflow(1, "o-1")));
    end(&mut fixture, attempt(lsn, lsn));
    assert_eq!(why_not(&mut fixture, restart(2, 0)), NotRestartable::Workflow);

    let mut fixture = Fixture::single();
    let lsn = fixture.apply(invoked(call(1)));
    let v5 = Pin { protocol: ProtocolVersion::V5, ..PIN };
    fixture.apply(Event::DeploymentPinned { attempt: attempt(lsn, lsn), pin: v5 });
    end(&mut fixture, attempt(lsn, lsn));
    let keep = Restart { pin: Some(v5), ..restart(2, 1) };
    assert_eq!(why_not(&mut fixture, keep), NotRestartable::OldProtocol);
    assert_eq!(ask(&mut fixture, restart(2, 0)).0, Outcome::Restarted(id(2)), "its input can be");
}

#[test]
fn the_same_request_again_begins_nothing_more() {
    let mut fixture = with_journal(call(1));
    ask(&mut fixture, restart(2, 6));
    let again = ask(&mut fixture, restart(2, 6));
    assert_eq!(again, (Outcome::Restarted(id(2)), String::new()));
    assert_eq!(why_not(&mut fixture, restart(5, 0)), NotRestartable::Mistaken, "the callee's id");
    let (_, old) = row(&mut fixture, 1);
    assert_eq!(old.incidents, 1);
}

#[test]
fn a_prefix_that_is_too_large_is_not_copied() {
    let mut fixture = Fixture::single();
    let lsn = fixture.apply(invoked(call_object(1, "k")));
    let name = attempt(lsn, lsn);
    fixture.apply(Event::DeploymentPinned { attempt: name, pin: PIN });
    let set = || Command::SetState { key: Bytes::from("k"), value: large() };
    let fitting = u32::try_from(PREFIX_BYTES_MAX / (large().len() as u64 + 64)).unwrap();
    for _ in 0..=fitting + 1 {
        fixture.apply(command(name, set()));
    }
    end(&mut fixture, name);
    assert_eq!(why_not(&mut fixture, restart(2, fitting + 1)), NotRestartable::TooLarge);
    let event = |from| Event::OperationRequested {
        request: RequestId(9),
        operator: ada("mended"),
        target: id(1),
        operation: Operation::RestartAsNew(restart(2, from)),
    };
    let brings = event(fitting).brings().bytes(&fixture.tables());
    assert_eq!(brings as u64, PREFIX_BYTES_MAX, "a turn takes it for what it may bring");
    assert_eq!(ask(&mut fixture, restart(2, fitting)).0, Outcome::Restarted(id(2)));
    assert_eq!(row(&mut fixture, 2).1.journal_len, fitting + 1);
}

#[test]
fn it_waits_for_the_lock_of_its_object_like_any_other() {
    let mut fixture = with_journal(call_object(1, "k"));
    let holder = fixture.apply(invoked(call_object(7, "k")));
    let (outcome, effects) = ask(&mut fixture, restart(2, 6));
    assert_eq!((outcome, effects.as_str()), (Outcome::Restarted(id(2)), ""));
    assert_eq!(row(&mut fixture, 2).1.status.kind(), StatusKind::Inboxed);
    fixture.checkpoint();
    end(&mut fixture, attempt(holder, holder));
    invariants::check(&fixture.tables()).unwrap();
    let effects = fixture.effects();
    assert!(effects.contains("Counter/k/add entries=9"), "{effects}");
    // A shared handler waits for nobody.
    let shared = Invoke { handler_kind: HandlerKind::Shared, ..call_object(1, "k") };
    let mut fixture = with_journal(shared);
    fixture.apply(invoked(call_object(7, "k")));
    assert!(ask(&mut fixture, restart(2, 6)).1.starts_with("start"));
}

#[test]
fn awakeables_of_the_prefix_are_completed_once() {
    let mut fixture = Fixture::single();
    let lsn = fixture.apply(invoked(call(1)));
    let awakeable = |target, request| Event::SignalRequested {
        request: RequestId(request),
        target: id(target),
        signal: SignalId::Index(17),
        result: NotificationResult::Void,
    };
    fixture.apply(awakeable(1, 4));
    end(&mut fixture, attempt(lsn, lsn));
    ask(&mut fixture, restart(2, 1));
    fixture.apply(awakeable(2, 4));
    assert_eq!(fixture.effects(), "answer 4 AlreadyCompleted");
    ask(&mut fixture, restart(3, 0));
    fixture.apply(awakeable(3, 4));
    assert!(fixture.effects().ends_with("answer 4 Stored"), "it was not in that prefix");
}

#[test]
fn both_tell_of_each_other_and_the_old_one_keeps_its_place() {
    let mut fixture = with_journal(call(1));
    let before = fixture.tables().meta().retained_bytes;
    ask(&mut fixture, restart(2, 6));
    assert!(fixture.tables().meta().retained_bytes > before, "what is kept is counted");
    let told = |fixture: &mut Fixture, of| {
        let (lsn, _) = row(fixture, of);
        let tables = fixture.tables();
        let kept = tables.walk_incidents_of(lsn, None, ALL).map(|(_, incident)| incident);
        kept.map(|incident| (incident.journal_len, incident.what)).collect::<Vec<_>>()
    };
    let restarted = Happened::RestartedAs { by: ada("mended"), id: id(2) };
    assert_eq!(told(&mut fixture, 1), [(11, restarted)]);
    let begun = Happened::RestartedFrom { by: ada("mended"), id: id(1) };
    assert_eq!(told(&mut fixture, 2), [(9, begun)]);
    // Killing the new one does not reach what the old one has called.
    let name = running(&mut fixture, 2);
    fixture.apply(Event::KillRequested { request: RequestId(3), target: id(2) });
    assert_eq!(row(&mut fixture, 5).1.status.kind(), StatusKind::Completed);
    assert!(fixture.tables().invocation(name.invocation).is_some());
    invariants::check(&fixture.tables()).unwrap();
}
