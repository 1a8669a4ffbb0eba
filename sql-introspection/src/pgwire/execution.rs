//! How a session executes a statement.

use std::sync::Arc;

use datafusion::{
    arrow::{array::RecordBatch, datatypes::SchemaRef},
    common::ParamValues,
};
use futures::{
    Sink, SinkExt, StreamExt,
    stream::{self, BoxStream},
};
use pgwire::{
    api::{
        ClientInfo, ClientPortalStore,
        portal::Format,
        results::{QueryResponse, Tag},
        store::PortalStore,
    },
    error::{ErrorInfo, PgWireError, PgWireResult},
    messages::{PgWireBackendMessage, response::TransactionStatus},
};
use tokio::sync::Mutex;

use super::{
    cursor::Cursor,
    prepared::Prepared,
    rows::{fields, rows, single},
    session::Session,
    statement::Statement,
};
use crate::{
    error::SqlError,
    session_settings::{Scope, notice},
};

/// What a statement is answered with.
pub(super) enum Answer {
    /// Rows.
    Rows { schema: SchemaRef, batches: BoxStream<'static, Result<RecordBatch, SqlError>> },
    /// Nothing but that it was done.
    Done,
}

/// What a client is sent for a statement.
pub(super) enum Reply {
    /// Rows.
    Rows(QueryResponse),
    /// Only the tag, which says what was done.
    Done(Tag),
}

impl Session {
    /// Executes a statement for a client and notes what it does to its transaction.
    pub(super) async fn reply<C>(
        &self,
        client: &mut C,
        prepared: Prepared,
        parameters: Option<ParamValues>,
        format: &Format,
    ) -> PgWireResult<Reply>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin,
        C::PortalStore: PortalStore,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let notice = if let Statement::Set { name, value: Some(value), .. } = &prepared.statement {
            notice(name, value)
        } else {
            None
        };
        let tag = tag(&prepared.statement, client.transaction_status());
        self.deallocate(client, &prepared.statement);
        let status = client.transaction_status();
        let (answer, after) = self.execute(prepared, parameters, status).await?;
        client.set_transaction_status(after);
        if let Some(notice) = notice {
            let mut warning =
                ErrorInfo::new("WARNING".to_owned(), notice.code.to_owned(), notice.message);
            warning.hint = notice.hint;
            client.feed(PgWireBackendMessage::NoticeResponse(warning.into())).await?;
        }
        Ok(match answer {
            Answer::Done => Reply::Done(Tag::new(tag)),
            Answer::Rows { schema, batches } => {
                let fields = fields(&schema, format)?;
                let mut response = QueryResponse::new(Arc::clone(&fields), rows(batches, fields));
                response.set_command_tag(tag);
                Reply::Rows(response)
            }
        })
    }

    /// Executes a statement whose transaction is in this status. Returns its answer, and the status
    /// afterwards.
    pub(super) async fn execute(
        &self,
        prepared: Prepared,
        parameters: Option<ParamValues>,
        status: TransactionStatus,
    ) -> Result<(Answer, TransactionStatus), SqlError> {
        let Prepared { statement, plan, .. } = prepared;
        let is_end =
            matches!(statement, Statement::Commit | Statement::Rollback | Statement::RollbackTo(_));
        if status == TransactionStatus::Error && !is_end {
            return Err(SqlError::new(
                "25P02",
                "current transaction is aborted, commands ignored until end of transaction block",
            ));
        }
        let mut after = status;
        let answer = match statement {
            Statement::Query(_) => {
                let plan = plan.ok_or_else(no_plan)?;
                let batches = self.client.run(plan, parameters).await?;
                Answer::Rows { schema: Arc::clone(batches.schema()), batches: batches.boxed() }
            }
            Statement::Begin => {
                after = TransactionStatus::Transaction;
                Answer::Done
            }
            Statement::Commit | Statement::Rollback => {
                self.kept().end_transaction();
                self.settings().end_transaction();
                after = TransactionStatus::Idle;
                Answer::Done
            }
            Statement::Savepoint(name) => {
                if status == TransactionStatus::Idle {
                    let what = "SAVEPOINT can only be used in transaction blocks";
                    return Err(SqlError::new("25P01", what));
                }
                self.kept().save(name)?;
                Answer::Done
            }
            Statement::Release(name) => {
                self.kept().release(&name)?;
                Answer::Done
            }
            Statement::RollbackTo(name) => {
                self.kept().go_back(&name)?;
                after = TransactionStatus::Transaction;
                Answer::Done
            }
            // As in PostgreSQL, outside of a transaction what is set for one has no effect.
            Statement::Set { scope: Scope::Transaction, .. }
                if status == TransactionStatus::Idle =>
            {
                Answer::Done
            }
            Statement::Set { name, value, scope } => {
                self.settings().set(&name, value.as_deref(), scope)?;
                Answer::Done
            }
            Statement::Reset(name) => {
                self.settings().reset(name.as_deref());
                Answer::Done
            }
            Statement::Show(name) => {
                let row = single(&name, &self.settings().show(&name)?)?;
                let schema = row.schema();
                Answer::Rows { schema, batches: stream::iter([Ok(row)]).boxed() }
            }
            Statement::Declare(name, _) => {
                if self.kept().cursors.contains_key(&name) {
                    let what = format!("cursor \"{name}\" already exists");
                    return Err(SqlError::new("42P03", what));
                }
                let batches = self.client.run(plan.ok_or_else(no_plan)?, parameters).await?;
                let cursor = Arc::new(Mutex::new(Cursor::new(batches)));
                self.kept().cursors.insert(name, cursor);
                Answer::Done
            }
            Statement::Fetch(name, count) => {
                let cursor = self.cursor(&name)?.lock_owned().await;
                let schema = cursor.schema();
                let batches = stream::unfold((cursor, count), |(mut cursor, left)| async move {
                    let (batch, left) = cursor.next(left).await?;
                    Some((batch, (cursor, left)))
                });
                Answer::Rows { schema, batches: batches.boxed() }
            }
            Statement::Close(Some(name)) => {
                self.cursor(&name)?;
                self.kept().cursors.remove(&name);
                Answer::Done
            }
            Statement::Close(None) => {
                self.kept().cursors.clear();
                Answer::Done
            }
            Statement::Discard => {
                self.listening.unlisten(None).await;
                self.kept().cursors.clear();
                self.settings().reset(None);
                Answer::Done
            }
            Statement::Listen(channel) => {
                self.listening.listen(&channel).await?;
                Answer::Done
            }
            Statement::Unlisten(channel) => {
                self.listening.unlisten(channel.as_deref()).await;
                Answer::Done
            }
            // Their store belongs to the connection: see `deallocate`.
            Statement::Deallocate(_) => Answer::Done,
        };
        Ok((answer, after))
    }

    /// Removes the prepared statements that a statement names.
    fn deallocate<C>(&self, client: &C, statement: &Statement)
    where
        C: ClientPortalStore,
        C::PortalStore: PortalStore,
    {
        let Statement::Deallocate(name) = statement else { return };
        let mut kept = self.kept();
        let names: Vec<String> = match name {
            Some(name) => vec![name.clone()],
            None => kept.statements(),
        };
        for name in names {
            client.portal_store().rm_statement(&name);
            kept.forget_statement(&name);
        }
    }
}

/// The tag that tells the client what a statement has done.
fn tag(statement: &Statement, status: TransactionStatus) -> &'static str {
    match (statement, status) {
        (Statement::Commit, TransactionStatus::Error) => Statement::Rollback.tag(),
        _ => statement.tag(),
    }
}

fn no_plan() -> SqlError {
    SqlError::new("XX000", "a query was not planned before it was executed")
}
