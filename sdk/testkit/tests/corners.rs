//! Corner cases: closures that are held back, cancellations at awkward moments, names that collide,
//! old protocols.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use abide_sdk::{ClientError, prelude::*, select};
use abide_test::{Running, TestRuntime};
use futures::{StreamExt, stream::FuturesUnordered};
use serde::{Deserialize, Serialize};

/// The name that many users would choose for the argument of a handler of `Corner`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct CornerRequest {
    r#type: String,
}

#[derive(Clone, Default)]
struct Corner {
    executions: Arc<AtomicU32>,
    more_executions: Arc<AtomicU32>,
    abide: Arc<OnceLock<Running>>,
}

#[service]
impl Corner {
    /// Two closures take real time; the second ends while the handler waits for something else.
    pub async fn held_back(&self, ctx: &Context) -> Result<u32> {
        let run = |ms| {
            ctx.run("slow", async move || {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok(1)
            })
        };
        let mut runs = FuturesUnordered::from_iter([run(5), run(25)]);
        let mut sum = 0;
        while let Some(result) = runs.next().await {
            sum += result?;
            ctx.sleep(1.hours()).await?;
        }
        Ok(sum)
    }

    /// A closure that never ends is cancelled, and its saga undone.
    pub async fn endless(&self, ctx: &Context) -> Result<()> {
        let mut saga = ctx.saga();
        saga.compensate("wait", |ctx| async move { Ok(ctx.sleep(1.minutes()).await?) });
        Ok(ctx.run("endless", std::future::pending).await?)
    }

    /// The cancellation arrives while the only unshielded wait is not being polled.
    pub async fn cancelled_late(&self, ctx: &Context) -> Result<()> {
        let mut stale = ctx.sleep(10.days());
        select! {
            slept = &mut stale => slept?,
            slept = ctx.sleep(1.seconds()) => slept?,
        }
        ctx.uncancelled(ctx.sleep(1.hours())).await?;
        ctx.sleep(5.days()).await?;
        Ok(())
    }

    /// A wait that is shielded after the cancellation is no longer cancelled.
    pub async fn shielded_after(&self, ctx: &Context) -> Result<String> {
        let first = ctx.sleep(3.hours());
        let mut second = ctx.sleep(2.hours());
        let cancelled = select! {
            slept = first => slept.unwrap_err(),
            slept = &mut second => slept.unwrap_err(),
        };
        assert!(cancelled.is_cancelled());
        ctx.uncancelled(&mut second).await?;
        Ok("finished".to_owned())
    }

    /// Failures of the first run do not count against the second.
    pub async fn two_runs(&self, ctx: &Context) -> Result<u32> {
        let first = ctx.run("first", || fail_times(&self.executions, 3));
        first.retry(Retry::fixed(10.ms())).await?;
        let second = ctx.run("second", || fail_times(&self.more_executions, 2));
        Ok(second.retry(Retry::fixed(10.ms()).max_attempts(3)).await?)
    }

    pub async fn rejects(&self, ctx: &Context) -> Result<()> {
        let (id, rejected) = ctx.awakeable::<()>();
        ctx.reject_awakeable(&id, Terminal::new(410, "gone").with("since", "yesterday"));
        assert_eq!(rejected.await.unwrap_err().code(), 410);
        ctx.sleep(1.hours()).await?;
        Err(Terminal::new(411, "gone too").with("since", "today").into())
    }

    pub async fn uuid_within_run(&self, ctx: &Context) -> Result<String> {
        Ok(ctx.run("id", async || Ok(ctx.uuid().to_string())).await?)
    }

    /// The awakeable is completed from within the closure that hands out its id.
    pub async fn answered_at_once(&self, ctx: &Context) -> Result<String> {
        let (id, answer) = ctx.awakeable::<String>();
        ctx.run("ask", async || {
            let abide = self.abide.get().ok_or("no runtime")?.clone();
            abide.resolve_awakeable(&id, "at once").await?;
            Ok(())
        })
        .await?;
        Ok(answer.await?)
    }

    /// Gets the id of its callee, then is cancelled while it waits for the result.
    pub async fn id_twice(&self, ctx: &Context) -> Result<String> {
        let mut call = Self::call().sleepy(ctx);
        let first = call.invocation_id().await?;
        assert!(call.timeout(1.hours()).await.unwrap_err().is_cancelled());
        Ok(first)
    }

    pub async fn sleepy(&self, ctx: &Context) -> Result<()> {
        Ok(ctx.sleep(5.days()).await?)
    }

    pub async fn names(&self, ctx: &Context, r#type: CornerRequest) -> Result<CornerRequest> {
        let one = Self::call().underscore(ctx, 1).await?;
        assert_eq!(one, 1);
        Ok(r#type)
    }

    pub async fn underscore(&self, _: &Context, _ctx: u32) -> Result<u32> {
        Ok(_ctx)
    }

    pub async fn cancel(&self, ctx: &Context, id: String) -> Result<()> {
        ctx.invocation::<()>(id).cancel();
        Ok(())
    }

    /// Tokio's cooperative budget makes channels return pending now and then, although they are
    /// ready.
    pub async fn many_messages(&self, ctx: &Context) -> Result<u32> {
        let mut sum = 0;
        for _ in 0..10 {
            let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
            for n in 0..100 {
                sender.send(n)?;
            }
            drop(sender);
            while let Some(n) = receiver.recv().await {
                sum += n;
            }
            ctx.run("step", async || Ok(())).await?;
        }
        Ok(sum)
    }
}

async fn fail_times(executions: &AtomicU32, times: u32) -> Result<u32> {
    let execution = executions.fetch_add(1, Ordering::Relaxed) + 1;
    if execution <= times {
        return Err(io::Error::other("not yet").into());
    }
    Ok(execution)
}

/// A service whose own type is an argument and a result of its handlers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Itself(u8);

#[service]
impl Itself {
    pub async fn twin(&self, _ctx: &Context, other: Self) -> Result<Option<Self>> {
        Ok(Some(other))
    }

    pub async fn clone(&self, _ctx: &Context) -> Result<u8> {
        Ok(self.0)
    }
}

fn start(runtime: TestRuntime) -> (Running, Corner) {
    let corner = Corner::default();
    let abide = runtime.bind(corner.clone()).bind(Itself(3)).start();
    let _ = corner.abide.set(abide.clone());
    (abide, corner)
}

fn code(error: ClientError) -> u16 {
    match error {
        ClientError::Failed(failure) => failure.code(),
        ClientError::Transport(_) | ClientError::Payload(_) | ClientError::Request(_) => {
            panic!("{error}")
        }
    }
}

fn runtimes() -> [TestRuntime; 3] {
    [
        TestRuntime::new(),
        TestRuntime::new().suspend_always(),
        TestRuntime::new().replay_every_step(),
    ]
}

#[tokio::test]
async fn a_closure_that_is_held_back_holds_nobody_up() {
    for runtime in runtimes() {
        let (abide, _) = start(runtime);
        assert_eq!(Corner::client(&abide).held_back().await.unwrap(), 2);
    }
}

#[tokio::test]
async fn a_closure_that_never_ends_can_be_cancelled() {
    let (abide, _) = start(TestRuntime::new());
    let endless = Corner::client(&abide).send().endless().await.unwrap();
    Corner::client(&abide).cancel(endless.id().to_owned()).await.unwrap();
    assert_eq!(code(endless.attach().await.unwrap_err()), 409);
}

#[tokio::test]
async fn a_cancellation_waits_for_the_first_that_hears_it() {
    for runtime in runtimes() {
        let (abide, _) = start(runtime);
        let began = abide.now();
        let late = Corner::client(&abide).send().cancelled_late().await.unwrap();
        abide.advance(1.minutes()).await;
        Corner::client(&abide).cancel(late.id().to_owned()).await.unwrap();
        assert_eq!(code(late.attach().await.unwrap_err()), 409);
        let took = abide.now().duration_since(began).unwrap();
        assert!(took >= 1.hours() && took < 1.days(), "{took:?}");
    }
}

#[tokio::test]
async fn what_is_shielded_after_a_cancellation_finishes() {
    for runtime in runtimes() {
        let (abide, _) = start(runtime);
        let shielded = Corner::client(&abide).send().shielded_after().await.unwrap();
        abide.advance(1.minutes()).await;
        Corner::client(&abide).cancel(shielded.id().to_owned()).await.unwrap();
        assert_eq!(shielded.attach().await.unwrap(), "finished");
    }
}

#[tokio::test]
async fn each_run_counts_its_own_failures() {
    let (abide, _) = start(TestRuntime::new());
    assert_eq!(Corner::client(&abide).two_runs().await.unwrap(), 3);
}

#[tokio::test]
async fn a_failure_with_facts_is_the_same_on_every_protocol() {
    for protocol in 5..=7 {
        for runtime in runtimes() {
            let (abide, _) = start(runtime.protocol(protocol));
            assert_eq!(code(Corner::client(&abide).rejects().await.unwrap_err()), 411);
        }
    }
}

#[tokio::test]
async fn the_context_within_a_closure_is_a_mistake() {
    let (abide, _) = start(TestRuntime::new());
    let mistake = Corner::client(&abide).uuid_within_run().await.unwrap_err().to_string();
    assert!(mistake.contains("within the run 'id'") && mistake.contains("corners.rs"), "{mistake}");
}

#[tokio::test]
async fn the_outside_world_may_answer_at_once() {
    let (abide, _) = start(TestRuntime::new());
    assert_eq!(Corner::client(&abide).answered_at_once().await.unwrap(), "at once");
}

#[tokio::test]
async fn a_callees_id_is_there_whatever_happens_to_the_call() {
    for runtime in runtimes() {
        let (abide, _) = start(runtime);
        let twice = Corner::client(&abide).send().id_twice().await.unwrap();
        abide.advance(1.minutes()).await;
        Corner::client(&abide).cancel(twice.id().to_owned()).await.unwrap();
        assert!(twice.attach().await.unwrap().starts_with("inv_"));
    }
}

#[tokio::test]
async fn names_collide_with_nothing() {
    let (abide, _) = start(TestRuntime::new());
    let request = CornerRequest { r#type: "t".to_owned() };
    assert_eq!(Corner::client(&abide).names(request.clone()).await.unwrap(), request);
    assert_eq!(Itself::client(&abide).twin(Itself(1)).await.unwrap(), Some(Itself(1)));
    assert_eq!(Itself::client(&abide).clone().await.unwrap(), 3);
}

#[tokio::test]
async fn tokios_budget_changes_nothing() {
    for runtime in runtimes() {
        let (abide, _) = start(runtime);
        assert_eq!(Corner::client(&abide).many_messages().await.unwrap(), 49_500);
    }
}
