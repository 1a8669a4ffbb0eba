//! The kit itself: short handlers, virtual time, faults, and mistakes that it must find.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use abide_sdk::prelude::*;
use abide_test::TestRuntime;

#[derive(Default)]
struct Shop {
    charges: Arc<AtomicU64>,
}

const STATUS: State<String> = State::new("status");
const APPROVAL: Promise<bool> = Promise::new("approval");

#[workflow]
impl Shop {
    pub async fn run(&self, ctx: &WorkflowContext, item: String) -> Result<String> {
        STATUS.set(ctx, "waiting".to_owned());
        let approved = match APPROVAL.get(ctx).timeout(30.minutes()).await {
            Err(error) if error.is_elapsed() => false,
            other => other?,
        };
        if !approved {
            return Err(Terminal::new(403, "not approved").with("item", item).into());
        }
        let charge = ctx
            .run("charge", async || Ok(self.charges.fetch_add(1, Ordering::Relaxed) + 1))
            .await?;
        STATUS.set(ctx, "charged".to_owned());
        Ok(format!("{item} for charge {charge}"))
    }

    pub async fn approve(&self, ctx: &SharedWorkflowContext) -> Result<()> {
        Ok(APPROVAL.resolve(ctx, true).await?)
    }

    pub async fn status(&self, ctx: &SharedWorkflowContext) -> Result<Option<String>> {
        Ok(STATUS.get(ctx).await?)
    }
}

#[tokio::test]
async fn half_an_hour_passes_at_once() {
    let started = Instant::now();
    let abide = TestRuntime::new().bind(Shop::default()).start();
    let before = abide.now();
    let error = Shop::client(&abide).key("o-1").run("tea".to_owned()).await.unwrap_err();
    let abide_sdk::ClientError::Failed(failure) = error else { panic!("{error}") };
    assert_eq!((failure.code(), failure.metadata("item")), (403, Some("tea")));
    assert!(abide.now().duration_since(before).unwrap() >= 30.minutes());
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn a_manual_clock_stands_still_until_it_is_advanced() {
    let abide = TestRuntime::new().bind(Shop::default()).manual_clock().start();
    let shop = Shop::client(&abide);
    let order = shop.key("o-1").send().run("tea".to_owned()).await.unwrap();
    abide.advance(1799.seconds()).await;
    assert_eq!(order.output().await.unwrap(), None);
    assert_eq!(shop.key("o-1").status().await.unwrap().as_deref(), Some("waiting"));
    abide.advance(1.seconds()).await;
    order.output().await.unwrap_err();
}

#[tokio::test]
async fn two_clients_at_the_same_time() {
    let abide = TestRuntime::new().bind(Shop::default()).start();
    let shop = Shop::client(&abide);
    shop.key("o-1").send().run("tea".to_owned()).await.unwrap();
    let (answer, approved) = tokio::join!(shop.key("o-1").attach(), shop.key("o-1").approve());
    approved.unwrap();
    assert_eq!(answer.unwrap(), "tea for charge 1");
    let again = shop.key("o-1").run("tea".to_owned()).await.unwrap_err();
    let abide_sdk::ClientError::Failed(failure) = again else { panic!("{again}") };
    assert_eq!(failure.code(), 409);
}

/// Places an order and approves it; returns the result and the number of charges.
async fn order(what: &str, runtime: TestRuntime) -> (String, u64) {
    let shop = Shop::default();
    let charges = Arc::clone(&shop.charges);
    let abide = runtime.bind(shop).start();
    let shop = Shop::client(&abide);
    shop.key("o-1").send().run("tea".to_owned()).await.unwrap();
    shop.key("o-1").approve().await.unwrap();
    let answer = shop.key("o-1").attach().await;
    let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(shop.key("o-1").status().await.unwrap().as_deref(), Some("charged"));
    (answer, charges.load(Ordering::Relaxed))
}

#[tokio::test]
async fn every_fault_leaves_the_answer_as_it_is() {
    for protocol in 5..=7 {
        let runtime = || TestRuntime::new().protocol(protocol);
        let expected = ("tea for charge 1".to_owned(), 1);
        assert_eq!(order("plain", runtime()).await, expected);
        assert_eq!(order("replay", runtime().replay_every_step()).await, expected);
        assert_eq!(order("suspend", runtime().suspend_always().partitions(4)).await, expected);
        for n in 1..8 {
            assert_eq!(
                order("fail", runtime().fail_attempt(n)).await,
                expected,
                "attempt {n} fails"
            );
            assert_eq!(
                order("cut", runtime().cut_after_command(u32::try_from(n).unwrap())).await,
                expected,
                "cut after {n}"
            );
        }
        for n in 1..40 {
            let (answer, charges) = order(&format!("crash {n}"), runtime().crash_at_write(n)).await;
            // A closure runs at least once: its result is lost when the runtime crashes before it is
            // written.
            assert!(charges == 1 || charges == 2, "{charges} charges, crash {n}");
            assert_eq!(answer, format!("tea for charge {charges}"), "crash {n}");
        }
    }
}

#[tokio::test]
async fn a_journal_reads_as_text() {
    let abide = TestRuntime::new().bind(Shop::default()).start();
    let shop = Shop::client(&abide);
    let order = shop.key("o-1").send().run("tea".to_owned()).await.unwrap();
    shop.key("o-1").approve().await.unwrap();
    order.attach().await.unwrap();
    assert_eq!(
        abide.journal(order.id()),
        [
            "Input \"tea\"",
            "SetState status = \"waiting\"",
            "GetPromise 1 approval",
            "Sleep 2 'timeout'",
            "  1 = true",
            "Run 3 'charge'",
            "  3 = 1",
            "SetState status = \"charged\"",
            "Output \"tea for charge 1\"",
        ]
    );
}

/// Handlers that make the common mistakes, one each.
struct Wrong;

static CLOCK_READS: AtomicU64 = AtomicU64::new(0);

#[service]
impl Wrong {
    pub async fn time(&self, ctx: &Context) -> Result<()> {
        ctx.run("first", async || Ok(())).await?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
        let name = format!("at {now}, read {}", CLOCK_READS.fetch_add(1, Ordering::Relaxed));
        ctx.run(&name, async || Ok(())).await?;
        Ok(())
    }

    pub async fn random(&self, ctx: &Context) -> Result<()> {
        let key = uuid::Uuid::new_v4().to_string();
        Self::call().idempotency_key(key).nothing(ctx).await?;
        Ok(())
    }

    pub async fn map_order(&self, ctx: &Context) -> Result<()> {
        let items: HashMap<u64, ()> = (0..50).map(|n| (n, ())).collect();
        for item in items.keys() {
            ctx.run(&format!("item {item}"), async || Ok(())).await?;
        }
        Ok(())
    }

    pub async fn spawned(&self, ctx: &Context) -> Result<()> {
        ctx.run("first", async || Ok(())).await?;
        let task = tokio::spawn(tokio::time::sleep(Duration::from_millis(20)));
        task.await?;
        ctx.run("second", async || Ok(())).await?;
        Ok(())
    }

    pub async fn io(&self, ctx: &Context) -> Result<()> {
        tokio::fs::read("Cargo.toml").await?;
        ctx.run("after", async || Ok(())).await?;
        Ok(())
    }

    pub async fn within_run(&self, ctx: &Context) -> Result<()> {
        ctx.run("outer", async || {
            ctx.sleep(1.seconds()).await?;
            Ok(())
        })
        .await?;
        Ok(())
    }

    pub async fn nothing(&self, _ctx: &Context) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_usual_mistakes_are_found_and_named_with_their_line() {
    let abide = || TestRuntime::new().bind(Wrong).replay_every_step().start();
    let here = |error: abide_sdk::ClientError, what: &str| {
        let text = error.to_string();
        assert!(text.contains("kit.rs:"), "no line for {what}: {text}");
        assert!(text.contains(what), "{text}");
    };
    here(Wrong::client(&abide()).time().await.unwrap_err(), "journal mismatch at command 2");
    here(Wrong::client(&abide()).random().await.unwrap_err(), "journal mismatch at command 1");
    here(Wrong::client(&abide()).map_order().await.unwrap_err(), "journal mismatch at command");
    here(Wrong::client(&abide()).spawned().await.unwrap_err(), "not in the journal, after");
    here(Wrong::client(&abide()).io().await.unwrap_err(), "not in the journal, after");
    here(Wrong::client(&abide()).within_run().await.unwrap_err(), "within the run 'outer'");
}

/// A trip whose last booking fails, or waits until it is cancelled.
struct Trip {
    log: Arc<std::sync::Mutex<Vec<String>>>,
}

#[service]
impl Trip {
    pub async fn book(&self, ctx: &Context, ends: String) -> Result<()> {
        let mut saga = ctx.saga();
        for leg in ["flight", "hotel", "car"] {
            self.note(ctx, format!("book {leg}")).await?;
            let log = Arc::clone(&self.log);
            saga.compensate(leg, move |ctx| async move {
                let trip = Self { log };
                trip.note(&ctx, format!("cancel {leg}")).await?;
                ctx.sleep(1.minutes()).await?;
                trip.note(&ctx, format!("{leg} is cancelled")).await
            });
        }
        match ends.as_str() {
            "badly" => return Err(Terminal::new(410, "no seats").into()),
            "never" => ctx.sleep(100.days()).await?,
            "slowly" => ctx.uncancelled(ctx.sleep(1.hours())).await?,
            _ => saga.commit(),
        }
        // After a shielded section, a cancellation reaches the next wait.
        ctx.sleep(1.seconds()).await?;
        Ok(())
    }
}

impl Trip {
    /// Adds to the log once per journaled step, however often it is replayed.
    async fn note(&self, ctx: &Context, line: String) -> Result<()> {
        let name = line.clone();
        ctx.run(&name, async || {
            self.log.lock().unwrap().push(line);
            Ok(())
        })
        .await?;
        Ok(())
    }
}

const UNDONE: [&str; 6] = [
    "cancel car",
    "car is cancelled",
    "cancel hotel",
    "hotel is cancelled",
    "cancel flight",
    "flight is cancelled",
];

/// Books a trip, and cancels it after `cancel_after` if given. Returns the failure's code and the
/// steps that were undone, in order.
async fn trip(
    runtime: TestRuntime,
    ends: &str,
    cancel_after: Option<Duration>,
) -> (u16, Vec<String>) {
    let log = Arc::default();
    let abide = runtime.bind(Trip { log: Arc::clone(&log) }).bind(Canceller).start();
    let booking = Trip::client(&abide).send().book(ends.to_owned()).await.unwrap();
    if let Some(after) = cancel_after {
        abide.advance(after).await;
        Canceller::client(&abide).cancel(booking.id().to_owned()).await.unwrap();
    }
    let code = match booking.attach().await {
        Ok(()) => 0,
        Err(abide_sdk::ClientError::Failed(failure)) => failure.code(),
        Err(error) => panic!("{error}"),
    };
    let mut lines: Vec<String> = log.lock().unwrap().clone();
    // A closure whose result was lost in a crash runs again.
    lines.dedup();
    lines.retain(|line| !line.starts_with("book"));
    (code, lines)
}

struct Canceller;

#[service]
impl Canceller {
    pub async fn cancel(&self, ctx: &Context, id: String) -> Result<()> {
        ctx.invocation::<()>(id).cancel();
        Ok(())
    }
}

#[tokio::test]
async fn a_saga_is_undone_in_reverse_whatever_crashes_and_when() {
    let undone = (410, UNDONE.map(str::to_owned).to_vec());
    assert_eq!(trip(TestRuntime::new(), "badly", None).await, undone);
    assert_eq!(trip(TestRuntime::new().replay_every_step(), "badly", None).await, undone);
    for n in 1..=16 {
        assert_eq!(
            trip(TestRuntime::new().cut_after_command(n), "badly", None).await,
            undone,
            "{n}"
        );
        assert_eq!(
            trip(TestRuntime::new().fail_attempt(u64::from(n)), "badly", None).await,
            undone,
            "{n}"
        );
    }
    for n in 1..60 {
        assert_eq!(trip(TestRuntime::new().crash_at_write(n), "badly", None).await, undone, "{n}");
    }
    assert_eq!(trip(TestRuntime::new(), "well", None).await, (0, Vec::new()));
}

#[tokio::test]
async fn a_cancellation_undoes_a_saga_and_waits_for_what_is_shielded() {
    let undone = (409, UNDONE.map(str::to_owned).to_vec());
    for runtime in [TestRuntime::new(), TestRuntime::new().replay_every_step()] {
        assert_eq!(trip(runtime, "never", Some(1.hours())).await, undone);
    }
    assert_eq!(trip(TestRuntime::new(), "slowly", Some(1.minutes())).await, undone);
}
