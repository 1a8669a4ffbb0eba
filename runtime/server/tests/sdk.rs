//! The real binary, an endpoint on our own SDK, and its typed clients over HTTP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::time::Duration;

use abide_sdk::{ClientError, prelude::*};

use support::{serve_endpoint, start};

const TOTAL: State<u64> = State::new("total");
const CALLBACK: State<String> = State::new("callback");

struct Account;

#[object]
impl Account {
    pub async fn add(&self, ctx: &ObjectContext, amount: u64) -> Result<u64> {
        let total = TOTAL.get(ctx).await?.unwrap_or(0) + amount;
        TOTAL.set(ctx, total);
        Ok(total)
    }

    pub async fn close(&self, _ctx: &ObjectContext) -> Result<()> {
        Err(Terminal::new(409, "it is not empty").with("hint", "withdraw first").into())
    }
}

struct Approval;

#[workflow]
impl Approval {
    pub async fn run(&self, ctx: &WorkflowContext, what: String) -> Result<String> {
        let (callback, answer) = ctx.awakeable::<bool>();
        CALLBACK.set(ctx, callback);
        match answer.timeout(1.hours()).await? {
            true => Ok(format!("{what} is approved")),
            false => Err(Terminal::new(403, "refused").into()),
        }
    }

    pub async fn callback(&self, ctx: &SharedWorkflowContext) -> Result<Option<String>> {
        Ok(CALLBACK.get(ctx).await?)
    }

    #[handler(private)]
    pub async fn secret(&self, _ctx: &SharedWorkflowContext) -> Result<()> {
        Ok(())
    }
}

fn failure(error: ClientError) -> Terminal {
    match error {
        ClientError::Failed(failure) => failure,
        ClientError::Transport(_) | ClientError::Payload(_) | ClientError::Request(_) => {
            panic!("{error}")
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_clients_over_http() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    serve_endpoint(&server, Endpoint::new().bind(Account).bind(Approval)).await;

    let ingress = Ingress::new(server.ingress.clone());
    // A key that has to be escaped in a path.
    let account = || Account::client(&ingress).key("a/b c?ü");
    assert_eq!(account().add(2).await.unwrap(), 2);
    assert_eq!(account().idempotency_key("once").add(3).await.unwrap(), 5);
    assert_eq!(account().idempotency_key("once").add(3).await.unwrap(), 5);
    let sent = account().send().add(10).await.unwrap();
    assert_eq!(sent.attach().await.unwrap(), 15);
    let later = account().after(200.ms()).add(1).await.unwrap();
    assert_eq!(later.attach().await.unwrap(), 16);
    let refused = failure(account().close().await.unwrap_err());
    assert_eq!((refused.code(), refused.message()), (409, "it is not empty"));
    assert_eq!(refused.metadata("hint"), Some("withdraw first"));

    let approval = |key: &str| Approval::client(&ingress).key(key);
    let callback = async |key: &str| loop {
        if let Some(callback) = approval(key).callback().await.unwrap() {
            return callback;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    approval("yes").send().run("it".to_owned()).await.unwrap();
    assert_eq!(approval("yes").output().await.unwrap(), None);
    ingress.resolve_awakeable(&callback("yes").await, &true).await.unwrap();
    assert_eq!(approval("yes").attach().await.unwrap(), "it is approved");
    assert_eq!(approval("yes").output().await.unwrap().as_deref(), Some("it is approved"));
    approval("no").send().run("it".to_owned()).await.unwrap();
    ingress.reject_awakeable(&callback("no").await, "nobody knows").await.unwrap();
    let rejected = failure(approval("no").attach().await.unwrap_err());
    assert_eq!(rejected.message(), "nobody knows");
    assert_eq!(failure(approval("no").run("it".to_owned()).await.unwrap_err()).code(), 409);
    assert_eq!(failure(approval("no").secret().await.unwrap_err()).code(), 400);
    let nobody = Ingress::new("http://127.0.0.1:1");
    let unreachable = Account::client(&nobody).key("a").add(1).await.unwrap_err();
    assert!(matches!(unreachable, ClientError::Transport(_)), "{unreachable}");
}
