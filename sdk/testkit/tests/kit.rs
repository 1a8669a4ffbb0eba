//! The kit itself: handlers in three lines, virtual time, faults, and mistakes that it must find.

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

/// Orders and approves, and says what the answer is and how often was charged.
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

/// Handlers that are wrong, each in another of the usual ways.
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
