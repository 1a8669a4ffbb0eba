//! Determinism: random handlers made of ordinary combinators, on the real Vm and the real executor.
//! Whatever the order of the journal, however its bytes arrive, wherever an attempt restarts, and
//! however often a handler is polled needlessly, it issues the same commands.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, channel::oneshot, future, stream::FuturesUnordered};
use hyper::body::{Body, Frame as BodyFrame};
use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use protocol::{
    InvocationId, PartitionKey, ProtocolVersion,
    journal::{
        Command, Entry, NamedCommand, Notification, NotificationId, NotificationKind,
        NotificationResult, notification::SignalId,
    },
    wire::{
        self, MessageType,
        control::{RunAck, RunProposal, Start},
        frame::{Frame, FrameDecoder},
    },
};

use sdk_core::{Sabotage, VmOptions};

use crate::{Opening, prelude::*};

/// A step of a random handler.
#[derive(Debug, Clone)]
enum Step {
    Sleep,
    Run,
    Join(Vec<Step>),
    TryJoin(Vec<Step>),
    JoinAll(usize),
    Race(Vec<Step>),
    Unordered(Vec<Step>),
    Timeout(Box<Step>),
    /// One branch waits for another through a channel.
    Channel(Box<Step>, Box<Step>),
    Sequence(Vec<Step>),
    /// A future that races, is held without being polled, and races again.
    Held(Box<Step>, Vec<Step>),
    Uncancelled(Box<Step>),
}

fn step() -> impl Strategy<Value = Step> {
    let leaf =
        prop_oneof![Just(Step::Sleep), Just(Step::Run), (1usize..4).prop_map(Step::JoinAll),];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let several = || proptest::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            several().prop_map(Step::Join),
            several().prop_map(Step::TryJoin),
            several().prop_map(Step::Race),
            several().prop_map(Step::Unordered),
            several().prop_map(Step::Sequence),
            (inner.clone(), several()).prop_map(|(held, steps)| Step::Held(Box::new(held), steps)),
            inner.clone().prop_map(|step| Step::Timeout(Box::new(step))),
            inner.clone().prop_map(|step| Step::Uncancelled(Box::new(step))),
            (inner.clone(), inner)
                .prop_map(|(one, other)| Step::Channel(Box::new(one), Box::new(other))),
        ]
    })
}

type Doing<'c> = Pin<Box<dyn Future<Output = Result<(), Terminal>> + Send + 'c>>;

/// Performs a step, then issues a marker command, which reveals any difference in order.
fn perform<'c>(ctx: &'c Context, step: &'c Step) -> Doing<'c> {
    Box::pin(async move {
        match step {
            Step::Sleep => ctx.sleep(Duration::from_millis(1)).await?,
            Step::Run => ctx.run("step", async || Ok(())).await?,
            Step::Join(steps) => {
                let all = future::join_all(steps.iter().map(|step| perform(ctx, step))).await;
                mark(ctx, &format!("joined {}", all.iter().filter(|one| one.is_ok()).count()));
            }
            Step::TryJoin(steps) => {
                future::try_join_all(steps.iter().map(|step| perform(ctx, step))).await?;
            }
            Step::JoinAll(count) => {
                let sleeps = (0..*count).map(|n| ctx.sleep(Duration::from_millis(n as u64)));
                for slept in join_all(sleeps).await {
                    slept?;
                }
            }
            Step::Race(steps) => {
                let branches = steps.iter().map(|step| perform(ctx, step));
                let (first, at, _) = future::select_all(branches).await;
                mark(ctx, &format!("branch {at} came first"));
                first?;
            }
            Step::Unordered(steps) => {
                let numbered = steps.iter().enumerate();
                let mut under_way: FuturesUnordered<_> = numbered
                    .map(|(n, step)| async move { (n, perform(ctx, step).await.is_ok()) })
                    .collect();
                while let Some((n, is_ok)) = under_way.next().await {
                    mark(ctx, &format!("{n} is done, {is_ok}"));
                }
            }
            Step::Timeout(step) => {
                let timed = ctx.timeout(Duration::from_millis(5), perform(ctx, step)).await;
                mark(ctx, if timed.is_ok() { "in time" } else { "too late or failed" });
            }
            Step::Channel(one, other) => {
                let (sender, receiver) = oneshot::channel();
                let sending = async {
                    let done = perform(ctx, one).await;
                    let _ = sender.send(());
                    done
                };
                let receiving = async {
                    let _ = receiver.await;
                    mark(ctx, "heard of it");
                    perform(ctx, other).await
                };
                let (sent, received) = futures::join!(sending, receiving);
                sent.and(received)?;
            }
            Step::Sequence(steps) => {
                for step in steps {
                    perform(ctx, step).await?;
                }
            }
            Step::Held(held, steps) => {
                let mut held = perform(ctx, held);
                for step in steps {
                    match future::select(held, perform(ctx, step)).await {
                        future::Either::Left((done, _)) => {
                            mark(ctx, "the held one came first");
                            return done;
                        }
                        future::Either::Right((_, still)) => held = still,
                    }
                    ctx.sleep(Duration::from_millis(2)).await?;
                }
                held.await?;
            }
            Step::Uncancelled(step) => ctx.uncancelled(perform(ctx, step)).await?,
        }
        mark(ctx, "on it goes");
        Ok(())
    })
}

/// A one-way call that shows in the journal how far the handler got.
fn mark(ctx: &Context, text: &str) {
    Program::send().mark(ctx, text.to_owned());
}

struct Program(Step);

#[service]
impl Program {
    pub async fn perform(&self, ctx: &Context) -> Result<()> {
        let mut saga = ctx.saga();
        saga.compensate("undo", |ctx| async move {
            mark(&ctx, "undone");
            ctx.sleep(Duration::from_millis(3)).await?;
            mark(&ctx, "undone for good");
            Ok(())
        });
        let outcome = perform(ctx, &self.0).await;
        mark(ctx, if outcome.is_ok() { "the end" } else { "the bitter end" });
        Ok(outcome?)
    }

    pub async fn mark(&self, _ctx: &Context, _text: String) -> Result<()> {
        Ok(())
    }
}

/// A request body that yields the chunks queued in it.
#[derive(Clone, Default)]
struct Request(Arc<Mutex<(Vec<Bytes>, bool)>>);

impl Body for Request {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Self::Error>>> {
        let mut state = self.0.lock().unwrap();
        match state.0.is_empty() {
            false => Poll::Ready(Some(Ok(BodyFrame::data(state.0.remove(0))))),
            true if state.1 => Poll::Ready(None),
            true => Poll::Pending,
        }
    }
}

/// A minimal runtime: it keeps the journal, and completes commands in a random order.
struct Runtime {
    version: ProtocolVersion,
    journal: Vec<Entry>,
    /// Pending completions.
    owed: Vec<Notification>,
    choices: Vec<u8>,
    next_choice: usize,
    is_cancelled: bool,
    sabotage: Option<Sabotage>,
}

/// How an attempt ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Suspended,
    Finished,
    Cut,
    Failed(String),
}

/// The bytes that a runtime sends at the start of an attempt with this journal.
pub(crate) fn opening_of(journal: &[Entry]) -> Bytes {
    let start = Start {
        id: InvocationId { partition_key: PartitionKey(1), uuid: 2 },
        debug_id: "inv_test".to_owned(),
        known_entries: u32::try_from(journal.len()).unwrap(),
        state: Vec::new(),
        partial_state: false,
        key: String::new(),
        retry_count: 0,
        duration_since_last_entry_ms: 0,
        random_seed: 5,
        scope: None,
        limit_key: None,
        idempotency_key: None,
    };
    let mut bytes = BytesMut::new();
    start.encode().encode(&mut bytes);
    for entry in journal {
        Frame::new(entry.ty, entry.body.clone()).encode(&mut bytes);
    }
    bytes.freeze()
}

/// The first entry of every journal: a call without an argument.
pub(crate) fn input(version: ProtocolVersion) -> Entry {
    let input = Command::Input { headers: Vec::new(), value: Bytes::new() };
    wire::command::encode(&NamedCommand::from(input), version)
}

impl Runtime {
    fn new(version: ProtocolVersion, choices: Vec<u8>) -> Self {
        let journal = vec![input(version)];
        Self {
            version,
            journal,
            owed: Vec::new(),
            choices,
            next_choice: 0,
            is_cancelled: false,
            sabotage: None,
        }
    }

    fn options(&self) -> VmOptions {
        VmOptions { sabotage: self.sabotage, ..VmOptions::default() }
    }

    fn choose(&mut self, below: usize) -> usize {
        let choice = self.choices[self.next_choice % self.choices.len()];
        self.next_choice += 1;
        usize::from(choice) % below.max(1)
    }

    /// Delivers one of the pending completions, or the cancellation.
    fn bring(&mut self) -> Option<Entry> {
        if !self.is_cancelled && self.choose(23) == 0 {
            self.is_cancelled = true;
            return Some(self.keep(Notification {
                kind: NotificationKind::Signal,
                id: NotificationId::Signal(SignalId::Index(1)),
                result: NotificationResult::Void,
            }));
        }
        if self.owed.is_empty() {
            return None;
        }
        let at = self.choose(self.owed.len());
        let notification = self.owed.remove(at);
        Some(self.keep(notification))
    }

    fn keep(&mut self, notification: Notification) -> Entry {
        let entry = wire::notification::encode(&notification, self.version);
        self.journal.push(entry.clone());
        entry
    }

    fn commands(&self) -> Vec<NamedCommand> {
        let commands = self.journal.iter().filter(|entry| entry.ty.is_command());
        commands.map(|entry| wire::command::decode(entry).unwrap()).collect()
    }

    /// Records a command of the handler, and its pending completion.
    fn take(&mut self, frame: &Frame) {
        let entry = Entry { ty: frame.ty, body: frame.body.clone() };
        let named = wire::command::decode(&entry).unwrap();
        self.journal.push(entry);
        let owed =
            |kind, id, result| Notification { kind, id: NotificationId::Completion(id), result };
        #[expect(clippy::wildcard_enum_match_arm, reason = "the others are not issued here")]
        match named.command {
            Command::Sleep { completion, .. } => {
                self.owed.push(owed(NotificationKind::Sleep, completion, NotificationResult::Void));
            }
            Command::OneWayCall { invocation_id_completion, .. } => {
                let id = NotificationResult::InvocationId("inv_other".to_owned());
                let kind = NotificationKind::CallInvocationId;
                self.owed.push(owed(kind, invocation_id_completion, id));
            }
            _ => (),
        }
    }

    /// Runs one attempt that knows `known` entries of the journal at the start; the rest arrives
    /// later.
    fn attempt(&mut self, opening: Opening, known: usize, cut_after: Option<usize>) -> Ended {
        let request = Request::default();
        let late: Vec<Entry> = self.journal[known..].to_vec();
        request.0.lock().unwrap().0.push(opening_of(&self.journal[..known]));
        let mut body = opening.attempt_with(self.version, self.options(), request.clone());
        let mut late = late.into_iter();
        let mut decoder = FrameDecoder::new(1 << 20);
        let mut cx = TaskContext::from_waker(Waker::noop());
        let mut new_commands = 0;
        loop {
            let polled = Pin::new(&mut body).poll_frame(&mut cx);
            match polled {
                Poll::Ready(None) => return Ended::Failed("no final message".to_owned()),
                Poll::Ready(Some(Ok(frame))) => decoder.push(frame.into_data().unwrap()),
                Poll::Pending => {
                    let entry = late.next().or_else(|| self.bring());
                    let mut state = request.0.lock().unwrap();
                    match entry {
                        Some(entry) => {
                            let mut bytes = BytesMut::new();
                            Frame::new(entry.ty, entry.body).encode(&mut bytes);
                            state.0.push(bytes.freeze());
                        }
                        None => state.1 = true,
                    }
                }
            }
            while let Some(frame) = decoder.next().unwrap() {
                match frame.ty {
                    MessageType::SUSPENSION => return Ended::Suspended,
                    MessageType::END => return Ended::Finished,
                    MessageType::ERROR => {
                        let error = protocol::wire::control::AttemptError::decode(&frame).unwrap();
                        return Ended::Failed(error.message);
                    }
                    MessageType::PROPOSE_RUN_COMPLETION => {
                        let proposal = RunProposal::decode(&frame).unwrap();
                        let completion = proposal.completion;
                        let result = proposal.result.into();
                        let id = NotificationId::Completion(completion);
                        let kind = NotificationKind::Run;
                        let entry = self.keep(Notification { kind, id, result });
                        let answer = if self.version.has_run_ack() {
                            RunAck { completion }.encode()
                        } else {
                            Frame::new(entry.ty, entry.body)
                        };
                        let mut bytes = BytesMut::new();
                        answer.encode(&mut bytes);
                        request.0.lock().unwrap().0.push(bytes.freeze());
                    }
                    _ => {
                        self.take(&frame);
                        new_commands += 1;
                        if cut_after == Some(new_commands) {
                            return Ended::Cut;
                        }
                    }
                }
            }
        }
    }
}

fn opening(step: &Step) -> Opening {
    Endpoint::new().bind(Program(step.clone())).open("Program", "perform").unwrap()
}

/// Runs the handler to its end in attempts of random length, then replays the journal from every
/// prefix.
fn check(
    step: &Step,
    version: ProtocolVersion,
    choices: Vec<u8>,
    sabotage: Option<Sabotage>,
) -> Result<(), TestCaseError> {
    let mut runtime = Runtime::new(version, choices);
    runtime.sabotage = sabotage;
    let mut attempts = 0;
    loop {
        let cut_after =
            Some(runtime.choose(6) + 1).filter(|_| !runtime.choices[0].is_multiple_of(3));
        let known = runtime.journal.len();
        match runtime.attempt(opening(step), known, cut_after) {
            Ended::Finished => break,
            Ended::Cut => (),
            Ended::Suspended => {
                prop_assert!(
                    runtime.bring().is_some(),
                    "suspended, and nothing is pending: {:?}",
                    runtime.commands()
                );
            }
            Ended::Failed(message) => {
                return Err(TestCaseError::fail(format!("{message}\n{step:?}")));
            }
        }
        attempts += 1;
        prop_assert!(attempts < 1000, "no end: {:?}", runtime.commands());
    }
    let commands = runtime.commands();
    let whole = runtime.journal.clone();
    for known in 1..whole.len() {
        // A prefix may end between commands that the handler issued at once.
        let mut again = Runtime::new(version, vec![1]);
        again.is_cancelled = true;
        again.sabotage = sabotage;
        again.journal = whole.clone();
        let ended = again.attempt_prefix(opening(step), known);
        prop_assert_eq!(ended, None, "prefix {} of {:?}", known, step);
        prop_assert_eq!(&again.commands()[..commands.len()], &commands[..]);
    }
    Ok(())
}

impl Runtime {
    /// Runs an attempt that knows a prefix of the journal and gets the later notifications one at a
    /// time. Its commands must be those of the journal; returns what was wrong.
    fn attempt_prefix(&mut self, opening: Opening, known: usize) -> Option<String> {
        let whole = self.journal.clone();
        let mut expected = whole[known..].iter().filter(|entry| entry.ty.is_command());
        let mut late = whole[known..]
            .iter()
            .filter(|entry| !entry.ty.is_command())
            .cloned()
            .collect::<Vec<_>>();
        late.reverse();
        let request = Request::default();
        request.0.lock().unwrap().0.push(opening_of(&self.journal[..known]));
        let mut body = opening.attempt_with(self.version, self.options(), request.clone());
        let mut decoder = FrameDecoder::new(1 << 20);
        let mut cx = TaskContext::from_waker(Waker::noop());
        loop {
            match Pin::new(&mut body).poll_frame(&mut cx) {
                Poll::Ready(None) => return Some("no final message".to_owned()),
                Poll::Ready(Some(Ok(frame))) => decoder.push(frame.into_data().unwrap()),
                Poll::Pending => match late.pop() {
                    Some(entry) => {
                        let mut bytes = BytesMut::new();
                        Frame::new(entry.ty, entry.body).encode(&mut bytes);
                        request.0.lock().unwrap().0.push(bytes.freeze());
                    }
                    None => return Some("waits, but the journal is at its end".to_owned()),
                },
            }
            while let Some(frame) = decoder.next().unwrap() {
                match frame.ty {
                    MessageType::END => return None,
                    MessageType::ERROR => {
                        let error = protocol::wire::control::AttemptError::decode(&frame).unwrap();
                        return Some(error.message);
                    }
                    // The result comes from the journal, whatever the closure returns now.
                    MessageType::PROPOSE_RUN_COMPLETION => (),
                    _ => {
                        let entry = Entry { ty: frame.ty, body: frame.body };
                        let asked = wire::command::decode(&entry).unwrap();
                        let known =
                            expected.next().map(|entry| wire::command::decode(entry).unwrap());
                        if !known.as_ref().is_some_and(|known| is_same(known, &asked)) {
                            return Some(format!("asked for {asked:?}, the journal has {known:?}"));
                        }
                    }
                }
            }
        }
    }
}

/// Whether two commands are equal apart from clock readings.
fn is_same(one: &NamedCommand, other: &NamedCommand) -> bool {
    match (&one.command, &other.command) {
        (Command::Sleep { completion: one, .. }, Command::Sleep { completion: other, .. }) => {
            one == other
        }
        (one, other) => one == other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..Default::default() })]

    #[test]
    fn the_same_commands_whatever_arrives_when(
        step in step(),
        choices in proptest::collection::vec(any::<u8>(), 1..40),
    ) {
        for version in [ProtocolVersion::V5, ProtocolVersion::V6, ProtocolVersion::V7] {
            check(&step, version, choices.clone(), None)?;
        }
    }
}

#[test]
fn a_rule_with_a_part_left_out_is_caught() {
    for sabotage in [Sabotage::NewestFirst, Sabotage::LosesPosition, Sabotage::AllAtOnce] {
        let config =
            ProptestConfig { cases: 20_000, failure_persistence: None, ..Default::default() };
        // The same cases on every run, so that the result is reproducible.
        let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(config, random);
        let held = (step(), proptest::collection::vec(step(), 1..4))
            .prop_map(|(held, steps)| Step::Held(Box::new(held), steps));
        let input = (held, proptest::collection::vec(any::<u8>(), 1..40));
        let outcome = runner.run(&input, |(step, choices)| {
            check(&step, ProtocolVersion::V7, choices, Some(sabotage))
        });
        assert!(outcome.is_err(), "{sabotage:?} goes unnoticed");
    }
}

#[test]
fn a_service_or_a_handler_may_turn_the_validation_of_inputs_off() {
    const KEY: &str = "abide.input-validation";
    struct One;
    #[service]
    impl One {
        #[handler(input_validation = "off")]
        pub async fn off(&self, _ctx: &Context, _input: u64) -> Result<()> {
            Ok(())
        }

        pub async fn strict(&self, _ctx: &Context, _input: u64) -> Result<()> {
            Ok(())
        }
    }
    struct All;
    #[service(input_validation = "off")]
    impl All {
        pub async fn inherited(&self, _ctx: &Context, _input: u64) -> Result<()> {
            Ok(())
        }
    }
    let services = Endpoint::new().bind(One).bind(All).manifest().services;
    let setting = |name: &str| {
        let mut handlers = services.iter().flat_map(|service| &service.handlers);
        let handler = handlers.find(|handler| handler.name == name).unwrap();
        handler.options.metadata.get(KEY).map(String::as_str)
    };
    assert_eq!(setting("off"), Some("off"));
    assert_eq!(setting("strict"), Some("strict"));
    assert_eq!(setting("inherited"), None);
    let all = services.iter().find(|service| service.name == "All").unwrap();
    assert_eq!(all.options.metadata[KEY], "off");
}

#[test]
fn discovery_says_what_the_attributes_and_the_types_say() {
    #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    struct Order {
        cents: u64,
    }
    struct Orders;
    /// Takes orders.
    #[object(
        name = "orders",
        rename_all = "camelCase",
        journal_retention = "2d",
        metadata(team = "food")
    )]
    impl Orders {
        /// Places one.
        #[handler(
            private,
            inactivity_timeout = "30s",
            retry(initial = "10ms", max_attempts = 3, on_max_attempts = "kill")
        )]
        pub async fn place_order(&self, _ctx: &ObjectContext, _order: Order) -> Result<Raw> {
            Ok(Raw::default())
        }

        #[handler(name = "looked_at")]
        pub async fn look(&self, _ctx: &SharedObjectContext) -> Result<()> {
            Ok(())
        }

        #[expect(dead_code, clippy::unused_async, reason = "it is private, so it is not a handler")]
        async fn own(&self, _ctx: &ObjectContext) -> Result<()> {
            Ok(())
        }
    }
    let manifest = Endpoint::new().bind(Orders).manifest();
    manifest.validate().unwrap();
    let service = &manifest.services[0];
    assert_eq!((service.name.as_str(), service.handlers.len()), ("orders", 2));
    assert_eq!(service.options.documentation.as_deref(), Some("Takes orders."));
    assert_eq!(service.options.journal_retention, Some(2 * 86_400_000));
    assert_eq!(service.options.metadata, BTreeMap::from([("team".to_owned(), "food".to_owned())]));
    let place = &service.handlers[0];
    assert_eq!(place.name, "placeOrder");
    assert_eq!(place.options.documentation.as_deref(), Some("Places one."));
    assert_eq!(place.options.ingress_private, Some(true));
    assert_eq!(place.options.inactivity_timeout, Some(30_000));
    assert_eq!(place.options.retry_policy_max_attempts, Some(3));
    assert_eq!(place.options.metadata["abide.input-validation"], "strict", "it has a schema");
    let input = place.input.as_ref().unwrap();
    assert_eq!(input.required, Some(true));
    assert_eq!(input.json_schema.as_ref().unwrap()["properties"]["cents"]["type"], "integer");
    assert_eq!(
        place.output.as_ref().unwrap().content_type.as_deref(),
        Some("application/octet-stream")
    );
    let look = &service.handlers[1];
    assert_eq!(look.name, "looked_at");
    assert_eq!(look.input.as_ref().unwrap().content_type, None);
    assert_eq!(look.options.metadata, BTreeMap::new());
    let error = manifest.in_version(2).unwrap_err().to_string();
    assert!(error.contains("journalRetention on 'orders' needs manifest version 3"), "{error}");
}
