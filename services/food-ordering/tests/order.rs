//! The order flow under test: in virtual time, with every step replayed, and with crashes all along
//! the way.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::sync::{Arc, Mutex};

use abide_sdk::{ClientError, prelude::*};
use abide_test::{Running, TestRuntime};
use services_food_ordering::{
    delivery::DeliveryManager,
    order::{Order, Status},
    payment::{Entry, Payments},
    restaurant::{Asking, Restaurant},
    status::OrderStatus,
    workflow::OrderWorkflow,
};

/// A restaurant that remembers the callbacks it has received.
#[derive(Default)]
struct Kitchen {
    callbacks: Mutex<Vec<String>>,
}

impl Restaurant for Kitchen {
    fn prepare<'a>(&'a self, _order_id: &'a str, callback: &'a str) -> Asking<'a> {
        self.callbacks.lock().unwrap().push(callback.to_owned());
        Box::pin(async { Ok(()) })
    }
}

struct Setting {
    abide: Running,
    kitchen: Arc<Kitchen>,
    ledger: tempfile::TempDir,
}

fn open(runtime: TestRuntime) -> Setting {
    let ledger = tempfile::tempdir().unwrap();
    let kitchen = Arc::new(Kitchen::default());
    let restaurant = Arc::clone(&kitchen) as Arc<dyn Restaurant>;
    let payments = Payments::new(file(ledger.path()));
    let abide = runtime
        .bind(OrderWorkflow { payments, restaurant })
        .bind(OrderStatus)
        .bind(DeliveryManager { leg: 10.minutes() })
        .start();
    Setting { abide, kitchen, ledger }
}

fn file(dir: &Path) -> std::path::PathBuf {
    dir.join("ledger.jsonl")
}

fn order(total_cents: u64) -> Order {
    Order {
        restaurant_id: "luigi".to_owned(),
        products: Vec::new(),
        total_cents,
        delivery_delay_ms: 5 * 3_600_000,
    }
}

impl Setting {
    async fn place(&self, total_cents: u64) {
        let workflow = OrderWorkflow::client(&self.abide).key("o-1").send();
        workflow.run(order(total_cents)).await.unwrap();
    }

    /// Advances time until the kitchen has been asked to prepare the order; returns the callback.
    async fn asked(&self) -> String {
        loop {
            if let Some(callback) = self.kitchen.callbacks.lock().unwrap().first() {
                return callback.clone();
            }
            self.abide.advance(1.hours()).await;
        }
    }

    async fn outcome(&self) -> Result<Status, ClientError> {
        OrderWorkflow::client(&self.abide).key("o-1").attach().await
    }

    async fn history(&self) -> Vec<Status> {
        self.abide.settle().await;
        let steps = OrderStatus::client(&self.abide).key("o-1").history().await.unwrap();
        steps.into_iter().map(|step| step.status).collect()
    }

    /// Numbers of charges and refunds, counting each token once.
    fn ledger(&self) -> (usize, usize) {
        let entries = Payments::new(file(self.ledger.path())).entries().unwrap();
        let count = |wanted: fn(&Entry) -> bool| {
            let mut tokens: Vec<_> =
                entries.iter().filter(|entry| wanted(entry)).map(|entry| entry.token()).collect();
            tokens.sort_unstable();
            tokens.dedup();
            tokens.len()
        };
        (count(Entry::is_charge), count(Entry::is_refund))
    }
}

const DELIVERED: [Status; 7] = [
    Status::Created,
    Status::Scheduled,
    Status::InPreparation,
    Status::SchedulingDelivery,
    Status::WaitingForDriver,
    Status::InDelivery,
    Status::Delivered,
];

async fn deliver(runtime: TestRuntime, what: &str) {
    let setting = open(runtime);
    setting.place(2150).await;
    let callback = setting.asked().await;
    setting.abide.resolve_awakeable(&callback, &()).await.unwrap();
    let outcome = setting.outcome().await.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(outcome, Status::Delivered, "{what}");
    assert_eq!(setting.history().await, DELIVERED, "{what}");
    assert_eq!(setting.ledger(), (1, 0), "{what}");
}

async fn turn_away(runtime: TestRuntime, what: &str) {
    let setting = open(runtime);
    setting.place(2150).await;
    let callback = setting.asked().await;
    setting.abide.reject_awakeable(&callback, "out of flour").await.unwrap();
    let ClientError::Failed(failure) = setting.outcome().await.unwrap_err() else { panic!() };
    assert_eq!(failure.message(), "out of flour", "{what}");
    let expected = [Status::Created, Status::Scheduled, Status::InPreparation, Status::Rejected];
    assert_eq!(setting.history().await, expected, "{what}");
    assert_eq!(setting.ledger(), (1, 1), "{what}");
}

#[tokio::test]
async fn an_order_is_paid_once_and_delivered_whatever_crashes() {
    deliver(TestRuntime::new(), "nothing goes wrong").await;
    deliver(TestRuntime::new().replay_every_step(), "every step is replayed").await;
    for n in 1..30 {
        deliver(TestRuntime::new().cut_after_command(n), &format!("cut after command {n}")).await;
    }
    for n in (1..80).step_by(3) {
        deliver(TestRuntime::new().crash_at_write(n), &format!("crash at write {n}")).await;
    }
}

#[tokio::test]
async fn an_order_that_cannot_be_prepared_is_refunded_whatever_crashes() {
    turn_away(TestRuntime::new(), "nothing goes wrong").await;
    turn_away(TestRuntime::new().replay_every_step(), "every step is replayed").await;
    for n in 1..30 {
        turn_away(TestRuntime::new().cut_after_command(n), &format!("cut after command {n}")).await;
    }
    for n in (1..60).step_by(3) {
        turn_away(TestRuntime::new().crash_at_write(n), &format!("crash at write {n}")).await;
    }
}

#[tokio::test]
async fn who_cannot_pay_is_told_so_at_once() {
    let setting = open(TestRuntime::new());
    setting.place(1_000_001).await;
    assert_eq!(setting.outcome().await.unwrap(), Status::Rejected);
    assert_eq!(setting.history().await, [Status::Created, Status::Rejected]);
    assert_eq!(setting.ledger(), (0, 0));
}
