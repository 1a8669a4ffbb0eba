//! What a session remembers, without a connection, and what hostile connections do.

mod hostile;

use std::sync::Arc;

use datafusion::{
    arrow::{array::AsArray, compute::cast, datatypes::DataType},
    common::{DataFusionError, ParamValues},
    scalar::ScalarValue,
};
use futures::{TryStreamExt, future::BoxFuture};
use pgwire::{error::PgWireError, messages::response::TransactionStatus};
use tokio::sync::Notify;

use super::{
    execution::Answer, prepared::Prepared, session::Session, shared_bytes::SharedBytes,
    statement::Statement,
};
use crate::{
    Client, SqlError,
    feed::{Feed, NoSuchChannel, Notification, Subscription},
    tests::memory::{Memory, engine},
};

/// Nothing ever changes.
struct Nothing;

impl Feed for Nothing {
    fn subscribe(self: Arc<Self>) -> Box<dyn Subscription> {
        Box::new(Self)
    }
}

impl Subscription for Nothing {
    fn listen(&mut self, channel: &str) -> Result<(), NoSuchChannel> {
        Err(NoSuchChannel(channel.to_owned()))
    }

    fn unlisten(&mut self, _: &str) {}

    fn channels(&self) -> usize {
        0
    }

    fn next(&mut self) -> BoxFuture<'_, Option<Notification>> {
        Box::pin(std::future::pending())
    }
}

async fn session() -> Session {
    let client = Client::new(&engine(&Memory::of(2)).await, 8);
    Session::new(client, Arc::new(Notify::new()), &SharedBytes::new(1 << 20), Arc::new(Nothing))
}

async fn prepared(session: &Session, sql: &str) -> Result<Prepared, SqlError> {
    let statement = session.client.engine().parse(sql)?.0.remove(0);
    session.prepare(Statement::of(statement)?, &[]).await
}

/// The first column of the rows that a statement has in a transaction, as texts.
async fn executed(
    session: &Session,
    prepared: &Prepared,
    parameters: &[&str],
) -> Result<Vec<Option<String>>, SqlError> {
    let values = parameters.iter().zip(&prepared.parameters);
    let values = values.map(|(text, ty)| ScalarValue::from(*text).cast_to(ty).map(Into::into));
    let values = ParamValues::List(values.collect::<Result<_, _>>()?);
    let status = TransactionStatus::Transaction;
    match session.execute(prepared.clone(), Some(values), status).await?.0 {
        Answer::Done => Ok(Vec::new()),
        Answer::Rows { batches, .. } => {
            let batches: Vec<_> = batches.try_collect().await?;
            let mut texts = Vec::new();
            for batch in batches {
                let column =
                    cast(batch.column(0), &DataType::Utf8).map_err(DataFusionError::from)?;
                texts.extend(column.as_string::<i32>().iter().map(|it| it.map(str::to_owned)));
            }
            Ok(texts)
        }
    }
}

async fn run(session: &Session, sql: &str) -> Result<Vec<Option<String>>, SqlError> {
    executed(session, &prepared(session, sql).await?, &[]).await
}

fn text(text: &str) -> Vec<Option<String>> {
    vec![Some(text.to_owned())]
}

#[tokio::test]
async fn settings_are_changed_and_asked_when_a_statement_is_executed() {
    let session = session().await;
    let change = "select set_config('application_name', 'a', false)";
    let change = prepared(&session, change).await.unwrap();
    let ask = prepared(&session, "select current_setting('application_name')").await.unwrap();
    assert_eq!(executed(&session, &ask, &[]).await.unwrap(), text(""));
    assert_eq!(executed(&session, &change, &[]).await.unwrap(), text("a"));
    assert_eq!(executed(&session, &ask, &[]).await.unwrap(), text("a"));
    run(&session, "set application_name to default").await.unwrap();
    assert_eq!(executed(&session, &ask, &[]).await.unwrap(), text(""));

    let change = prepared(&session, "select set_config($1, $2, $3)").await.unwrap();
    let of_any = prepared(&session, "select current_setting($1)").await.unwrap();
    let changed = executed(&session, &change, &["Statement_Timeout", "5000", "false"]).await;
    assert_eq!(changed.unwrap(), text("5s"));
    assert_eq!(executed(&session, &of_any, &["statement_timeout"]).await.unwrap(), text("5s"));
    let changed = executed(&session, &change, &["statement_timeout", "60s", "true"]).await;
    assert_eq!(changed.unwrap(), text("1min"));
    run(&session, "commit").await.unwrap();
    assert_eq!(run(&session, "show statement_timeout").await.unwrap(), text("5s"));

    let unknown = executed(&session, &of_any, &["no_such_setting"]).await;
    assert_eq!(unknown.unwrap_err().code, "42704");
    let or_null = "select current_setting('no_such_setting', true)";
    assert_eq!(run(&session, or_null).await.unwrap(), [None]);
    // Which rows a function has is known when a statement is prepared.
    let path = "select p from unnest(string_to_array(current_setting('search_path'), ',')) s(p)";
    assert_eq!(run(&session, path).await.unwrap(), text("public"));
}

#[tokio::test]
async fn what_is_set_for_a_transaction_ends_with_it() {
    let session = session().await;
    run(&session, "set local lock_timeout = '2s'").await.unwrap();
    assert_eq!(run(&session, "show lock_timeout").await.unwrap(), text("2s"));
    run(&session, "rollback").await.unwrap();
    assert_eq!(run(&session, "show lock_timeout").await.unwrap(), text("0"));
    for (wrong, code) in [("'soon'", "22023"), ("'5 S'", "22023"), ("-1", "22023")] {
        let sql = format!("set statement_timeout = {wrong}");
        assert_eq!(run(&session, &sql).await.unwrap_err().code, code, "{wrong}");
    }
}

#[tokio::test]
async fn a_statement_ends_when_the_session_gives_it_no_more_time() {
    let session = session().await;
    let endless = || std::future::pending::<Result<(), PgWireError>>();
    run(&session, "set statement_timeout = 1").await.unwrap();
    let ended = session.in_time(TransactionStatus::Idle, endless()).await.unwrap_err();
    let PgWireError::UserError(info) = ended else { panic!("{ended}") };
    assert_eq!(info.code, "57014");
    assert_eq!(info.message, "canceling statement due to statement timeout");
    // Of what was set for a transaction, nothing is left outside.
    run(&session, "set local statement_timeout = '1d'").await.unwrap();
    assert!(session.in_time(TransactionStatus::Idle, endless()).await.is_err());
}
