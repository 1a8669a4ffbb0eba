//! Handlers that wait, each for something else.

use std::future::pending;

use abide_sdk::prelude::*;
use anyhow::anyhow;

pub(crate) const GO: Signal<u64> = Signal::new("go");
pub(crate) const APPROVED: Promise<bool> = Promise::new("approved");

/// Waits for what it is told to.
pub(crate) struct Desk;

#[service(retry(initial = "1h", max_interval = "1h"))]
impl Desk {
    pub async fn awakeable(&self, ctx: &Context) -> Result<u64> {
        let (_, answer) = ctx.awakeable::<u64>();
        Ok(answer.await?)
    }

    pub async fn signal(&self, ctx: &Context) -> Result<u64> {
        Ok(GO.receive(ctx).await?)
    }

    pub async fn sleep(&self, ctx: &Context) -> Result<()> {
        Ok(ctx.sleep(1.hours()).await?)
    }

    pub async fn attach(&self, ctx: &Context, id: String) -> Result<u64> {
        Ok(ctx.invocation::<u64>(id).attach().await?)
    }

    /// Waits for the run of an approval.
    pub async fn approval(&self, ctx: &Context, key: String) -> Result<bool> {
        Ok(Approval::key(key).attach(ctx).await?)
    }

    /// Waits for either of two things.
    pub async fn either(&self, ctx: &Context) -> Result<u64> {
        let (_, answer) = ctx.awakeable::<u64>();
        Ok(answer.timeout(1.hours()).await?)
    }

    /// Waits for all of many things.
    pub async fn many(&self, ctx: &Context, count: usize) -> Result<usize> {
        let all: Vec<_> = (0..count).map(|_| ctx.awakeable::<u64>().1).collect();
        Ok(abide_sdk::join_all(all).await.len())
    }

    /// Calls a cart that is busy.
    pub async fn order(&self, ctx: &Context, key: String) -> Result<u64> {
        Ok(Cart::key(key).hold(ctx).await?)
    }

    /// Stores an entry, and waits.
    pub async fn begun(&self, ctx: &Context) -> Result<u64> {
        ctx.run("begin", || async { Ok(()) }).await?;
        self.awakeable(ctx).await
    }

    pub async fn fail(&self, _ctx: &Context) -> Result<()> {
        Err(anyhow!("no connection to the warehouse").into())
    }

    #[handler(retry(
        initial = "1ms",
        max_interval = "1ms",
        max_attempts = 2,
        on_max_attempts = "pause"
    ))]
    pub async fn give_up(&self, _ctx: &Context) -> Result<()> {
        Err(anyhow!("no connection to the bank").into())
    }

    #[handler(inactivity_timeout = "1h")]
    pub async fn hang(&self, _ctx: &Context) -> Result<()> {
        pending().await
    }

    pub async fn step(&self, ctx: &Context) -> Result<()> {
        Ok(ctx.run("charge", || async { pending::<Result<()>>().await }).await?)
    }
}

/// An object that waits, or visits others.
pub(crate) struct Cart;

#[object]
impl Cart {
    pub async fn hold(&self, ctx: &ObjectContext) -> Result<u64> {
        let (_, answer) = ctx.awakeable::<u64>();
        Ok(answer.await?)
    }

    /// Calls the first of these carts, which calls the next.
    pub async fn visit(&self, ctx: &ObjectContext, carts: Vec<String>) -> Result<()> {
        if let Some((next, rest)) = carts.split_first() {
            Cart::key(next.clone()).visit(ctx, rest.to_vec()).await?;
        }
        Ok(())
    }
}

/// The same, whose attempts stay connected while they wait.
pub(crate) struct Patient;

#[object(inactivity_timeout = "1h")]
impl Patient {
    pub async fn visit(&self, ctx: &ObjectContext, others: Vec<String>) -> Result<()> {
        if let Some((next, rest)) = others.split_first() {
            Patient::key(next.clone()).visit(ctx, rest.to_vec()).await?;
        }
        Ok(())
    }
}

pub(crate) struct Approval;

#[workflow]
impl Approval {
    pub async fn run(&self, ctx: &WorkflowContext) -> Result<bool> {
        Ok(APPROVED.get(ctx).await?)
    }

    pub async fn approve(&self, ctx: &SharedWorkflowContext) -> Result<()> {
        Ok(APPROVED.resolve(ctx, true).await?)
    }
}

/// A service that is not always there.
pub(crate) struct Away;

#[service]
impl Away {
    pub async fn greet(&self, _ctx: &Context) -> Result<String> {
        Ok("hello".to_owned())
    }
}

pub(crate) fn endpoint() -> Endpoint {
    Endpoint::new().bind(Desk).bind(Cart).bind(Patient).bind(Approval)
}
