//! Conversations with an SDK: frames in, proposals out.

use bytes::{Bytes, BytesMut};
use protocol::{
    AwakeableId, DeploymentId, HandlerKind, InvocationId, PartitionKey, ProtocolVersion,
    ServiceKind, Target,
    journal::{
        Awaiting, CallRequest, Combinator, Command, Entry, Notification, NotificationId,
        NotificationKind, NotificationResult,
    },
    wire::{
        self, MessageType,
        control::{End, RunProposal, Suspension},
        frame::Frame,
    },
};

use super::{Attempt, AttemptOptions, Fault, NodeOptions, Output};
use crate::{
    admission::Entropy,
    effect::StartAttempt,
    event::Event,
    model::{
        ids::{AttemptRef, Lsn},
        invocation::{AfterFailure, AttemptFailure, Pin},
    },
    registry::{Defaults, HandlerSettings, RegistrySnapshot, RetryPolicy},
    time::{DELAY_MAX_MS, Timestamp},
};

const WALL_MS: u64 = 1_000_000;

pub(super) struct Zeros;

impl Entropy for Zeros {
    fn next_u64(&mut self) -> u64 {
        0
    }
}

/// A registry that has `Greeter/greet`.
fn registry() -> RegistrySnapshot {
    let greeter = super::place::tests::deployment(1, "greet", None);
    RegistrySnapshot::new(vec![greeter], Defaults::default())
}

const PIN: Pin = Pin { deployment: DeploymentId(1), protocol: ProtocolVersion::V7 };

fn id() -> InvocationId {
    InvocationId { partition_key: PartitionKey(0), uuid: 1 }
}

fn entry(command: Command) -> Entry {
    wire::command::encode(&command.into(), ProtocolVersion::V7)
}

pub(super) fn start(commands: Vec<Command>) -> StartAttempt {
    let input = Command::Input { headers: Vec::new(), value: Bytes::new() };
    StartAttempt {
        attempt: AttemptRef { invocation: Lsn(1), attempt: Lsn(1) },
        id: id(),
        target: Target::new("Greeter", "", "greet"),
        service_kind: ServiceKind::Service,
        handler_kind: HandlerKind::Service,
        pin: Some(PIN),
        journal: std::iter::once(input).chain(commands).map(entry).collect(),
        state: Vec::new(),
        partial_state: false,
        random_seed: 1,
        retry_count: 0,
        policy_attempts: 0,
        unsent: 0,
        last_failure: None,
        last_entry_at: Timestamp(5000),
        now: Timestamp(5000),
        idempotency_key: None,
        scope: None,
        limit_key: None,
        is_pausing: false,
    }
}

pub(super) fn opened(start: StartAttempt) -> Attempt {
    let retry = RetryPolicy { max_attempts: Some(3), ..RetryPolicy::default() };
    let mut attempt = Attempt::new(
        start,
        AttemptOptions {
            pin: PIN,
            bidirectional: true,
            handler: HandlerSettings {
                inactivity_timeout_ms: 1000,
                abort_timeout_ms: 1000,
                lazy_state: false,
                retry,
            },
            node: NodeOptions { message_bytes_max: 1 << 20, ..NodeOptions::default() },
        },
    );
    attempt.open(0);
    attempt.take_outputs();
    attempt
}

pub(super) fn proposals(attempt: &mut Attempt) -> Vec<Event> {
    let outputs = attempt.take_outputs().into_iter();
    outputs
        .filter_map(|output| match output {
            Output::Propose(event) => Some(event),
            Output::Send(_) | Output::HalfClose | Output::Finish => None,
        })
        .collect()
}

pub(super) fn say(attempt: &mut Attempt, frame: Frame) -> Vec<Event> {
    let mut bytes = BytesMut::new();
    frame.encode(&mut bytes);
    attempt.receive(0, WALL_MS, bytes.freeze(), &registry(), &mut Zeros);
    proposals(attempt)
}

/// The result does not depend on how the bytes are split, and frames after the final one are
/// ignored.
#[test]
fn words_are_the_same_however_they_come_in_pieces() {
    let mut bytes = BytesMut::new();
    let output = Command::Output { result: Ok(Bytes::from_static(b"done")) };
    let Entry { ty, body } = entry(output);
    for frame in [Frame::new(ty, body), End.encode(), End.encode()] {
        frame.encode(&mut bytes);
    }
    let whole = bytes.freeze();
    let heard = |pieces: usize| {
        let mut attempt = opened(start(Vec::new()));
        for piece in whole.chunks(pieces) {
            let piece = Bytes::copy_from_slice(piece);
            attempt.receive(0, WALL_MS, piece, &registry(), &mut Zeros);
        }
        assert!(attempt.has_ended() && attempt.expected_bytes().is_none());
        proposals(&mut attempt)
    };
    let [Event::CommandProposed { .. }, Event::AttemptEnded { .. }] = &heard(whole.len())[..]
    else {
        panic!("{:?}", heard(whole.len()))
    };
    assert_eq!(heard(1), heard(whole.len()));
    assert_eq!(heard(7), heard(whole.len()));
}

/// A message's length is known once its header has arrived, and an oversized message is rejected
/// before its body arrives.
#[test]
fn a_message_says_how_large_it_will_be() {
    let mut attempt = opened(start(Vec::new()));
    let head = |length: u32| {
        let mut head = MessageType::OUTPUT_COMMAND.0.to_be_bytes().to_vec();
        head.extend_from_slice(&[0, 0]);
        head.extend_from_slice(&length.to_be_bytes());
        Bytes::from(head)
    };
    attempt.receive(0, WALL_MS, head(1000).slice(..7), &registry(), &mut Zeros);
    assert_eq!(attempt.expected_bytes(), None);
    attempt.receive(0, WALL_MS, head(1000).slice(7..), &registry(), &mut Zeros);
    assert_eq!(attempt.expected_bytes(), Some(1008));
    assert_eq!(proposals(&mut attempt), []);
    let mut attempt = opened(start(Vec::new()));
    attempt.receive(0, WALL_MS, head((1 << 20) + 1), &registry(), &mut Zeros);
    let proposals = proposals(&mut attempt);
    let (failure, _) = failure(&proposals);
    assert!(failure.message.contains("1048577"), "{}", failure.message);
}

fn command(attempt: &mut Attempt, command: Command) -> Vec<Event> {
    let Entry { ty, body } = entry(command);
    say(attempt, Frame::new(ty, body))
}

pub(super) fn failure(events: &[Event]) -> (&AttemptFailure, &AfterFailure) {
    let [Event::AttemptFailedOn { failure, next, .. }] = events else { panic!("{events:?}") };
    (failure, next)
}

fn run(completion: u32) -> Command {
    Command::Run { completion }
}

fn result_of(completion: u32) -> Frame {
    let result = Ok(Bytes::from("x"));
    RunProposal { completion, result, ack_requested: false }.encode(ProtocolVersion::V7)
}

fn suspension_on(completion: u32) -> Frame {
    let awaiting = Awaiting::any_of(vec![NotificationId::Completion(completion)]);
    Suspension { awaiting }.encode(ProtocolVersion::V7)
}

fn request() -> CallRequest {
    CallRequest {
        service: "Greeter".into(),
        handler: "greet".into(),
        key: String::new(),
        parameter: Bytes::new(),
        headers: Vec::new(),
        idempotency_key: None,
        scope: None,
        limit_key: None,
    }
}

#[test]
fn an_invocation_is_pinned_with_the_first_entry_it_stores_and_by_no_failure() {
    let unpinned = || opened(StartAttempt { pin: None, ..start(Vec::new()) });
    let mut attempt = unpinned();
    attempt.broken(Fault::EndedEarly, &mut Zeros);
    failure(&proposals(&mut attempt));

    let mut attempt = unpinned();
    let events = command(&mut attempt, run(1));
    assert!(
        matches!(
            &events[..],
            [Event::DeploymentPinned { pin: PIN, .. }, Event::CommandProposed { .. }]
        ),
        "{events:?}"
    );
    assert_eq!(say(&mut attempt, result_of(1)).len(), 1, "once");

    let mut attempt = opened(start(Vec::new()));
    assert_eq!(command(&mut attempt, run(1)).len(), 1, "one that is pinned stays where it is");
}

#[test]
fn only_a_run_that_waits_for_its_result_takes_one() {
    let sleep = Command::Sleep { wake_up_time_ms: 0, completion: 2 };
    let mut journal = start(vec![run(1), sleep, run(3)]);
    let done = Notification {
        kind: NotificationKind::Run,
        id: NotificationId::Completion(3),
        result: NotificationResult::Void,
    };
    journal.journal.push(wire::notification::encode(&done, ProtocolVersion::V7));
    for (wrong, why) in [(2, "a sleep"), (3, "a run that has its result"), (4, "nothing at all")] {
        let mut attempt = opened(journal.clone());
        let events = say(&mut attempt, result_of(wrong));
        let (failure, _) = failure(&events);
        assert_eq!(failure.code, 571, "{why}");
        assert!(failure.message.contains(&format!("run {wrong}")), "{}", failure.message);
    }
    let mut attempt = opened(journal);
    assert!(matches!(say(&mut attempt, result_of(1))[..], [Event::RunProposed { .. }]));
    command(&mut attempt, run(9));
    assert!(matches!(say(&mut attempt, result_of(9))[..], [Event::RunProposed { .. }]));
    assert_eq!(failure(&say(&mut attempt, result_of(9))).0.code, 571, "one result is all");
}

#[test]
fn a_suspension_on_what_no_command_asked_for_is_a_fault() {
    let call =
        Command::Call { request: request(), invocation_id_completion: 4, result_completion: 5 };
    for known in [1, 4, 5, 6] {
        let mut attempt = opened(start(vec![run(1), call.clone()]));
        command(&mut attempt, Command::Sleep { wake_up_time_ms: 0, completion: 6 });
        let events = say(&mut attempt, suspension_on(known));
        assert!(matches!(events[..], [Event::AttemptSuspended { .. }]), "{known}: {events:?}");
    }
    let mut attempt = opened(start(vec![run(1), call]));
    let events = say(&mut attempt, suspension_on(7));
    let (failure, _) = failure(&events);
    assert_eq!(failure.code, 571);
    assert!(failure.message.contains("completion 7, which no command requested"));
}

#[test]
fn a_completion_is_asked_for_once_and_has_a_number() {
    let mut attempt = opened(start(vec![run(1)]));
    assert_eq!(failure(&command(&mut attempt, run(1))).0.code, 571);
    let mut attempt = opened(start(Vec::new()));
    assert_eq!(failure(&command(&mut attempt, run(0))).0.code, 571);
}

#[test]
fn an_sdks_time_becomes_a_distance_from_when_it_was_said() {
    let sleep = |wake_up_time_ms| Command::Sleep { wake_up_time_ms, completion: 1 };
    let send = |invoke_time_ms| Command::OneWayCall {
        request: request(),
        invoke_time_ms,
        invocation_id_completion: 1,
    };
    for (said, expected) in [
        (sleep(WALL_MS + 2000), Some(2000)),
        (sleep(WALL_MS - 1), Some(0)),
        (sleep(0), Some(0)),
        (send(WALL_MS + 7), Some(7)),
        (send(1), Some(0)),
        (send(0), None),
    ] {
        let mut attempt = opened(start(Vec::new()));
        let stored = entry(said.clone());
        let events = command(&mut attempt, said);
        let (proposed, delay_ms) = match &events[..] {
            [Event::TimedCommandProposed { command, delay_ms, .. }] => (command, Some(*delay_ms)),
            [Event::CommandProposed { command, .. }] => (command, None),
            other => panic!("{other:?}"),
        };
        assert_eq!(delay_ms, expected);
        assert_eq!(*proposed.entry(), stored, "the journal has what was sent");
    }
}

#[test]
fn a_delay_has_a_longest_and_says_so() {
    let at = |ahead_ms| Command::Sleep { wake_up_time_ms: WALL_MS + ahead_ms, completion: 1 };
    let mut attempt = opened(start(Vec::new()));
    assert!(matches!(
        command(&mut attempt, at(DELAY_MAX_MS))[..],
        [Event::TimedCommandProposed { .. }]
    ));
    for too_far in [DELAY_MAX_MS + 1, u64::MAX - WALL_MS] {
        let mut attempt = opened(start(Vec::new()));
        let events = command(&mut attempt, at(too_far));
        let (failure, _) = failure(&events);
        assert!(
            failure.message.contains("3155760000000 ms, a hundred years"),
            "{}",
            failure.message
        );
    }
}

#[test]
fn a_tree_that_is_too_deep_pauses_the_invocation() {
    let mut awaiting = Awaiting::any_of(vec![NotificationId::Completion(1)]);
    for _ in 0..1000 {
        awaiting = Awaiting::node(Combinator::AllCompleted, Vec::new(), vec![awaiting]);
    }
    let frame = Suspension { awaiting }.encode(ProtocolVersion::V7);
    let mut attempt = opened(start(vec![run(1)]));
    let events = say(&mut attempt, frame);
    let (failure, next) = failure(&events);
    assert_eq!(*next, AfterFailure::Pause);
    assert!(failure.message.contains("more than 1000 levels"), "{}", failure.message);
}

#[test]
fn a_reserved_signal_is_no_awakeable() {
    let complete = |signal| Command::CompleteAwakeable {
        id: AwakeableId { invocation: id(), signal }.to_string(),
        result: Ok(Bytes::new()),
    };
    for reserved in [0, 1, 16] {
        let mut attempt = opened(start(Vec::new()));
        let events = command(&mut attempt, complete(reserved));
        assert!(failure(&events).0.message.contains("not an awakeable"), "{reserved}");
    }
    let mut attempt = opened(start(Vec::new()));
    assert!(matches!(command(&mut attempt, complete(17))[..], [Event::CommandProposed { .. }]));
}

#[test]
fn what_follows_the_end_counts_for_nothing() {
    let mut attempt = opened(start(vec![run(1)]));
    let output = Command::Output { result: Ok(Bytes::new()) };
    assert_eq!(command(&mut attempt, output).len(), 1);
    assert!(matches!(say(&mut attempt, End.encode())[..], [Event::AttemptEnded { .. }]));
    assert!(attempt.has_ended());
    let late = Frame::new(MessageType::END, Bytes::new());
    assert!(say(&mut attempt, late).is_empty());
}

/// After a crash, the partition announces entries again that a restarted attempt already has in its
/// replay.
#[test]
fn an_attempt_is_shown_each_entry_once() {
    let mut attempt = opened(start(vec![run(1)]));
    let mut shown = |index| {
        attempt.notify(0, index, entry(run(2)));
        let outputs = attempt.take_outputs();
        outputs.iter().filter(|output| matches!(output, Output::Send(_))).count()
    };
    // Input and the run were in the replay.
    assert_eq!([shown(0), shown(1), shown(2), shown(2), shown(1), shown(3)], [0, 0, 1, 0, 0, 1]);
}

/// A busy handler must keep the full timeout that its service configures.
#[test]
fn an_attempt_that_yields_keeps_its_deadline() {
    let mut attempt = opened(start(vec![run(1)]));
    assert_eq!(attempt.idle_since_ms(), Some(0));
    attempt.yield_permit();
    assert_eq!(attempt.take_outputs(), [Output::HalfClose]);
    assert_eq!(attempt.idle_since_ms(), None, "it is asked once");
    attempt.yield_permit();
    attempt.on_timeout(999, &mut Zeros);
    assert_eq!(attempt.take_outputs(), []);
    assert_eq!(attempt.deadline_ms(), Some(1000));
    assert_eq!(attempt.aborted_at_ms(), None, "it is not disturbed");
    attempt.on_timeout(1000, &mut Zeros);
    assert_eq!(attempt.deadline_ms(), Some(2000), "now it has been asked as it would have been");
    assert_eq!(attempt.aborted_at_ms(), Some(2000));
    attempt.on_timeout(2000, &mut Zeros);
    assert!(attempt.has_ended());
}
