//! The workflow that this SDK was designed for, written as its users would write it, and run to
//! each of its outcomes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use abide_sdk::{ClientError, prelude::*};
use abide_test::{Running, TestRuntime};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    id: String,
    cents: u64,
    wanted_at: SystemTime,
}

impl Order {
    fn delivery(&self) -> String {
        format!("bring {}", self.id)
    }

    fn summary(&self) -> String {
        format!("{} for {} cents", self.id, self.cents)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Charge {
    id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Receipt {
    charge: Charge,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Status {
    Scheduled,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Prepared;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Reason {
    reason: String,
}

/// The outside world, which records what it is asked to do.
#[derive(Clone, Default)]
struct Outside(Arc<Mutex<Vec<String>>>);

impl Outside {
    fn note(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn lines(&self, start: &str) -> Vec<String> {
        let lines = self.0.lock().unwrap().clone();
        lines.into_iter().filter_map(|line| Some(line.strip_prefix(start)?.to_owned())).collect()
    }
}

#[derive(Clone)]
struct Payments(Outside);

impl Payments {
    async fn charge(&self, order: &Order, token: Uuid) -> Result<Charge> {
        self.0.note(format!("charge {}", order.cents));
        Ok(Charge { id: token.to_string() })
    }

    async fn refund(&self, charge: &str) -> Result<()> {
        self.0.note(format!("refund {charge}"));
        Ok(())
    }
}

struct Restaurant(Outside);

impl Restaurant {
    async fn prepare(&self, order_id: &str, callback: &str) -> Result<()> {
        self.0.note(format!("prepare {order_id}"));
        self.0.note(format!("callback {callback}"));
        Ok(())
    }
}

const STATUS: State<Status> = State::new("status");
const CANCEL: Promise<Reason> = Promise::new("cancel");

struct OrderWorkflow {
    payments: Payments,
    restaurant: Restaurant,
}

#[workflow]
impl OrderWorkflow {
    pub async fn run(&self, ctx: &WorkflowContext, order: Order) -> Result<Receipt> {
        let mut saga = ctx.saga();

        let token = ctx.uuid();
        let charge = ctx
            .run("charge", || self.payments.charge(&order, token))
            .retry(Retry::exponential(250.ms()).max_attempts(8))
            .await?;
        saga.compensate("refund", {
            let (payments, id) = (self.payments.clone(), charge.id.clone());
            move |ctx| async move { Ok(ctx.run("refund", || payments.refund(&id)).await?) }
        });
        STATUS.set(ctx, Status::Scheduled);

        ctx.sleep_until(order.wanted_at).await?;

        let (id, prepared) = ctx.awakeable::<Prepared>();
        ctx.run("send to restaurant", || self.restaurant.prepare(&order.id, &id)).await?;
        let _prepared = prepared.timeout(30.minutes()).await?;

        let driver = DeliveryManager::key(&order.id).start(ctx, order.delivery());
        DailyDigest::after(1.hours()).send(ctx, order.summary());
        tokio::select! {
            delivered = driver => delivered?,
            cancelled = CANCEL.get(ctx) => return Err(Terminal::new(409, cancelled?.reason).into()),
        }
        Ok(Receipt { charge })
    }

    pub async fn cancel(&self, ctx: &SharedWorkflowContext, why: Reason) -> Result<()> {
        Ok(CANCEL.resolve(ctx, why).await?)
    }

    pub async fn status(&self, ctx: &SharedWorkflowContext) -> Result<Option<Status>> {
        Ok(STATUS.get(ctx).await?)
    }
}

struct DeliveryManager;

#[object]
impl DeliveryManager {
    pub async fn start(&self, ctx: &ObjectContext, _what: String) -> Result<()> {
        Ok(ctx.sleep(20.minutes()).await?)
    }
}

struct DailyDigest(Outside);

#[service]
impl DailyDigest {
    pub async fn send(&self, ctx: &Context, line: String) -> Result<()> {
        ctx.run("write", async || {
            self.0.note(format!("digest {line}"));
            Ok(())
        })
        .await?;
        Ok(())
    }
}

fn start(runtime: TestRuntime) -> (Running, Outside) {
    let outside = Outside::default();
    let abide = runtime
        .bind(OrderWorkflow {
            payments: Payments(outside.clone()),
            restaurant: Restaurant(outside.clone()),
        })
        .bind(DeliveryManager)
        .bind(DailyDigest(outside.clone()))
        .start();
    (abide, outside)
}

/// Places an order, and waits until the restaurant has been asked; returns the awakeable's id.
async fn place(abide: &Running, outside: &Outside) -> String {
    let wanted_at = abide.now() + 2.hours();
    let order = Order { id: "o-1".to_owned(), cents: 990, wanted_at };
    OrderWorkflow::client(abide).key("o-1").send().run(order).await.unwrap();
    abide.advance(2.hours() - 1.ms()).await;
    let status = OrderWorkflow::client(abide).key("o-1").status().await.unwrap();
    assert_eq!(status, Some(Status::Scheduled));
    assert_eq!(outside.lines("prepare "), Vec::<String>::new());
    while outside.lines("callback ").is_empty() {
        abide.advance(1.seconds()).await;
    }
    outside.lines("callback ").remove(0)
}

#[tokio::test]
async fn an_order_is_delivered() {
    for runtime in [TestRuntime::new(), TestRuntime::new().replay_every_step()] {
        let (abide, outside) = start(runtime);
        let callback = place(&abide, &outside).await;
        abide.resolve_awakeable(&callback, &Prepared).await.unwrap();
        let receipt = OrderWorkflow::client(&abide).key("o-1").attach().await.unwrap();
        assert!(receipt.charge.id.parse::<Uuid>().is_ok());
        abide.advance(2.hours()).await;
        assert_eq!(outside.lines("charge "), ["990"]);
        assert_eq!(outside.lines("refund "), Vec::<String>::new());
        assert_eq!(outside.lines("digest "), ["o-1 for 990 cents"]);
    }
}

#[tokio::test]
async fn an_order_is_cancelled_on_its_way_and_refunded() {
    for runtime in [TestRuntime::new(), TestRuntime::new().replay_every_step()] {
        let (abide, outside) = start(runtime);
        let callback = place(&abide, &outside).await;
        abide.resolve_awakeable(&callback, &Prepared).await.unwrap();
        abide.advance(1.minutes()).await;
        let why = Reason { reason: "too late".to_owned() };
        OrderWorkflow::client(&abide).key("o-1").cancel(why).await.unwrap();
        let ended = OrderWorkflow::client(&abide).key("o-1").attach().await.unwrap_err();
        let ClientError::Failed(failure) = ended else { panic!("{ended}") };
        assert_eq!((failure.code(), failure.message()), (409, "too late"));
        assert_eq!(outside.lines("refund ").len(), 1);
    }
}

#[tokio::test]
async fn a_restaurant_that_never_answers_costs_nothing() {
    for runtime in [TestRuntime::new(), TestRuntime::new().replay_every_step()] {
        let (abide, outside) = start(runtime);
        place(&abide, &outside).await;
        let ended = OrderWorkflow::client(&abide).key("o-1").attach().await.unwrap_err();
        let ClientError::Failed(failure) = ended else { panic!("{ended}") };
        assert_eq!(failure.code(), 408);
        assert_eq!(outside.lines("refund ").len(), 1);
    }
}
