//! A session: what it keeps, and how it executes a statement. The messages that bring statements
//! are in `simple` and `extended`.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::{
    arrow::{array::RecordBatch, datatypes::SchemaRef},
    common::ParamValues,
};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use pgwire::{
    api::{
        ClientInfo, ClientPortalStore, Type,
        portal::Format,
        results::{QueryResponse, Tag},
        store::PortalStore,
    },
    error::PgWireResult,
    messages::response::TransactionStatus,
};
use tokio::sync::Notify;

use super::{
    cursor::Cursor,
    listening::Listening,
    names,
    parameters::typed,
    prepared::Prepared,
    rows::{fields, rows, single},
    session_functions,
    settings::SessionSettings,
    shared_bytes::{SharedBytes, Taken},
    statement::Statement,
};
use crate::{engine::Client, error::SqlError, feed::Feed};

/// Prepared statements and portals that a session may have, each.
pub(super) const PREPARED_MAX: usize = 1024;

/// Savepoints that a transaction may have.
const SAVEPOINTS_MAX: usize = 1024;

/// A session.
pub(super) struct Session {
    pub(super) client: Client,
    /// Woken to cancel what is running.
    cancelled: Arc<Notify>,
    pub(super) listening: Listening,
    kept: Mutex<Kept>,
}

/// What a session keeps between messages.
pub(super) struct Kept {
    user: String,
    pub(super) settings: SessionSettings,
    pub(super) cursors: HashMap<String, Arc<tokio::sync::Mutex<Cursor>>>,
    /// The prepared statements, and the sizes of their texts in bytes.
    statements: HashMap<String, usize>,
    statement_bytes: Taken,
    pub(super) portals: HashSet<String>,
    /// The savepoints of the transaction, the last one last.
    savepoints: Vec<String>,
}

/// What a statement is answered with.
enum Answer {
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

impl Kept {
    /// Makes room for a prepared statement with a text of so many bytes.
    ///
    /// # Errors
    /// Returns an error if there are too many, or they take too much.
    pub(super) fn note_statement(&mut self, name: String, bytes: usize) -> Result<(), SqlError> {
        if self.statements.len() >= PREPARED_MAX && !self.statements.contains_key(&name) {
            let what = format!("a session may have {PREPARED_MAX} prepared statements");
            return Err(SqlError::new("53400", what).hint("close some of them"));
        }
        let old = self.statements.insert(name.clone(), bytes);
        let all = self.statements.values().sum();
        if !self.statement_bytes.resize(all) {
            match old {
                Some(bytes) => _ = self.statements.insert(name, bytes),
                None => _ = self.statements.remove(&name),
            }
            let what = "the prepared statements of all connections take too much memory";
            return Err(SqlError::new("53200", what).hint("close some of them"));
        }
        Ok(())
    }

    /// Where the last savepoint of a name is.
    fn savepoint(&self, name: &str) -> Result<usize, SqlError> {
        self.savepoints
            .iter()
            .rposition(|it| it == name)
            .ok_or_else(|| SqlError::new("3B001", format!("savepoint \"{name}\" does not exist")))
    }

    /// Releases what a prepared statement takes.
    pub(super) fn forget_statement(&mut self, name: &str) {
        self.statements.remove(name);
        let all = self.statements.values().sum();
        self.statement_bytes.resize(all);
    }
}

impl Session {
    pub(super) fn new(
        client: Client,
        cancelled: Arc<Notify>,
        prepared: &SharedBytes,
        feed: Arc<dyn Feed>,
    ) -> Self {
        let kept = Kept {
            user: String::new(),
            settings: SessionSettings::default(),
            cursors: HashMap::new(),
            statements: HashMap::new(),
            statement_bytes: prepared.take(),
            portals: HashSet::new(),
            savepoints: Vec::new(),
        };
        let listening = Listening::new(feed);
        Self { client, cancelled, listening, kept: Mutex::new(kept) }
    }

    /// Takes over who a client is, and the settings that it has sent with its first message.
    ///
    /// # Errors
    /// Returns an error if results could not be what the client then expects.
    pub(super) fn start(&self, parameters: &HashMap<String, String>) -> Result<(), SqlError> {
        let mut kept = self.kept();
        kept.user = parameters.get("user").cloned().unwrap_or_default();
        kept.settings.start(parameters)
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything that was opened in a transaction.
    fn end_transaction(&self) {
        let mut kept = self.kept();
        kept.cursors.clear();
        kept.savepoints.clear();
    }

    /// Plans a statement, as far as there is something to plan, with parameters of the types that
    /// the client declares.
    pub(super) async fn prepare(
        &self,
        statement: Statement,
        declared: &[Option<Type>],
    ) -> Result<Prepared, SqlError> {
        let (plan, parameters) = match statement.query() {
            Some(query) => {
                let mut query = query.clone();
                names::give(&mut query);
                {
                    let mut kept = self.kept();
                    let Kept { user, settings, .. } = &mut *kept;
                    session_functions::answer(&mut query, user, settings)?;
                }
                let (plan, parameters) = typed(self.client.engine().plan(query).await?, declared)?;
                (Some(plan), parameters)
            }
            None => (None, Vec::new()),
        };
        let schema = match (&statement, &plan) {
            (Statement::Query(_), Some(plan)) => Some(Arc::clone(plan.schema().inner())),
            (Statement::Show(name), _) => {
                Some(single(name, &self.kept().settings.show(name)?)?.schema())
            }
            (Statement::Fetch(name, _), _) => Some(self.cursor(name)?.lock().await.schema()),
            _ => None,
        };
        Ok(Prepared { statement, plan, parameters, schema })
    }

    pub(super) fn cursor(&self, name: &str) -> Result<Arc<tokio::sync::Mutex<Cursor>>, SqlError> {
        self.kept()
            .cursors
            .get(name)
            .map(Arc::clone)
            .ok_or_else(|| SqlError::new("34000", format!("cursor \"{name}\" does not exist")))
    }

    /// Executes a statement whose transaction is in this status. Returns its answer, and the status
    /// afterwards.
    async fn execute(
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
                self.end_transaction();
                after = TransactionStatus::Idle;
                Answer::Done
            }
            Statement::Savepoint(name) => {
                if status == TransactionStatus::Idle {
                    let what = "SAVEPOINT can only be used in transaction blocks";
                    return Err(SqlError::new("25P01", what));
                }
                let mut kept = self.kept();
                if kept.savepoints.len() >= SAVEPOINTS_MAX {
                    let what = format!("a transaction may have {SAVEPOINTS_MAX} savepoints");
                    return Err(SqlError::new("53400", what).hint("release some of them"));
                }
                kept.savepoints.push(name);
                Answer::Done
            }
            Statement::Release(name) => {
                let mut kept = self.kept();
                let at = kept.savepoint(&name)?;
                kept.savepoints.truncate(at);
                Answer::Done
            }
            Statement::RollbackTo(name) => {
                let mut kept = self.kept();
                let at = kept.savepoint(&name)?;
                kept.savepoints.truncate(at + 1);
                after = TransactionStatus::Transaction;
                Answer::Done
            }
            Statement::Set(name, value) => {
                self.kept().settings.set(name, value)?;
                Answer::Done
            }
            Statement::Reset(name) => {
                self.kept().settings.reset(name.as_deref());
                Answer::Done
            }
            Statement::Show(name) => {
                let row = single(&name, &self.kept().settings.show(&name)?)?;
                let schema = row.schema();
                Answer::Rows { schema, batches: stream::iter([Ok(row)]).boxed() }
            }
            Statement::Declare(name, _) => {
                if self.kept().cursors.contains_key(&name) {
                    let what = format!("cursor \"{name}\" already exists");
                    return Err(SqlError::new("42P03", what));
                }
                let batches = self.client.run(plan.ok_or_else(no_plan)?, parameters).await?;
                let cursor = Arc::new(tokio::sync::Mutex::new(Cursor::new(batches)));
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
                let mut kept = self.kept();
                kept.cursors.clear();
                kept.settings.reset(None);
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

    /// Executes a statement for a client and notes what it does to its transaction.
    pub(super) async fn reply<C>(
        &self,
        client: &mut C,
        prepared: Prepared,
        parameters: Option<ParamValues>,
        format: &Format,
    ) -> PgWireResult<Reply>
    where
        C: ClientInfo + ClientPortalStore,
        C::PortalStore: PortalStore,
    {
        let tag = self.tag(&prepared.statement, client.transaction_status());
        self.deallocate(client, &prepared.statement);
        let status = client.transaction_status();
        let (answer, after) = self.execute(prepared, parameters, status).await?;
        client.set_transaction_status(after);
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

    /// Does some work unless the client cancels it.
    pub(super) async fn unless_cancelled<T>(
        &self,
        work: impl Future<Output = PgWireResult<T>>,
    ) -> PgWireResult<T> {
        tokio::select! {
            done = work => done,
            () = self.cancelled.notified() => Err(SqlError::cancelled().into()),
        }
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
            None => kept.statements.keys().cloned().collect(),
        };
        for name in names {
            client.portal_store().rm_statement(&name);
            kept.forget_statement(&name);
        }
    }

    /// The tag that tells the client what a statement has done.
    fn tag(&self, statement: &Statement, status: TransactionStatus) -> &'static str {
        match (statement, status) {
            (Statement::Commit, TransactionStatus::Error) => Statement::Rollback.tag(),
            _ => statement.tag(),
        }
    }
}

fn no_plan() -> SqlError {
    SqlError::new("XX000", "a query was not planned before it was executed")
}
