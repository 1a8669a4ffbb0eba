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
    api::{ClientPortalStore, Type, store::PortalStore},
    messages::response::TransactionStatus,
};
use tokio::sync::Notify;

use super::{
    cursor::Cursor,
    names,
    parameters::typed,
    prepared::Prepared,
    rows::single,
    session_functions,
    settings::SessionSettings,
    shared_bytes::{SharedBytes, Taken},
    statement::Statement,
};
use crate::{engine::Client, error::SqlError};

/// Prepared statements and portals that a session may have, each.
pub(super) const PREPARED_MAX: usize = 1024;

/// Savepoints that a transaction may have.
const SAVEPOINTS_MAX: usize = 1024;

/// A session.
pub(super) struct Session {
    pub(super) client: Client,
    /// Woken to cancel what is running.
    pub(super) cancelled: Arc<Notify>,
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
pub(super) enum Answer {
    /// Rows.
    Rows { schema: SchemaRef, batches: BoxStream<'static, Result<RecordBatch, SqlError>> },
    /// Nothing but that it was done.
    Done,
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
    pub(super) fn new(client: Client, cancelled: Arc<Notify>, prepared: &SharedBytes) -> Self {
        let kept = Kept {
            user: String::new(),
            settings: SessionSettings::default(),
            cursors: HashMap::new(),
            statements: HashMap::new(),
            statement_bytes: prepared.take(),
            portals: HashSet::new(),
            savepoints: Vec::new(),
        };
        Self { client, cancelled, kept: Mutex::new(kept) }
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
        let plan = match &statement {
            Statement::Query(query) | Statement::Declare(_, query) => {
                let mut query = (**query).clone();
                names::give(&mut query);
                {
                    let mut kept = self.kept();
                    let Kept { user, settings, .. } = &mut *kept;
                    session_functions::answer(&mut query, user, settings)?;
                }
                Some(self.client.engine().plan(query).await?)
            }
            Statement::Begin
            | Statement::Commit
            | Statement::Rollback
            | Statement::Savepoint(_)
            | Statement::Release(_)
            | Statement::RollbackTo(_)
            | Statement::Unlisten
            | Statement::Set(..)
            | Statement::Reset(_)
            | Statement::Show(_)
            | Statement::Fetch(..)
            | Statement::Close(_)
            | Statement::Discard
            | Statement::Deallocate(_) => None,
        };
        let (plan, parameters) = match plan {
            Some(plan) => {
                let (plan, parameters) = typed(plan, declared)?;
                (Some(plan), parameters)
            }
            None => (None, Vec::new()),
        };
        let schema = match &statement {
            Statement::Query(_) => plan.as_ref().map(|plan| Arc::clone(plan.schema().inner())),
            Statement::Show(name) => {
                Some(single(name, &self.kept().settings.show(name)?)?.schema())
            }
            Statement::Fetch(name, _) => Some(self.cursor(name)?.lock().await.schema()),
            Statement::Begin
            | Statement::Commit
            | Statement::Rollback
            | Statement::Savepoint(_)
            | Statement::Release(_)
            | Statement::RollbackTo(_)
            | Statement::Unlisten
            | Statement::Set(..)
            | Statement::Reset(_)
            | Statement::Declare(..)
            | Statement::Close(_)
            | Statement::Discard
            | Statement::Deallocate(_) => None,
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
                let cursor = self.cursor(&name)?;
                self.kept().cursors.remove(&name);
                drop(cursor);
                Answer::Done
            }
            Statement::Close(None) => {
                self.kept().cursors.clear();
                Answer::Done
            }
            Statement::Discard => {
                let mut kept = self.kept();
                kept.cursors.clear();
                kept.settings.reset(None);
                Answer::Done
            }
            // Nobody listens. The store of statements belongs to the connection: see `deallocate`.
            Statement::Unlisten | Statement::Deallocate(_) => Answer::Done,
        };
        Ok((answer, after))
    }

    /// Removes the prepared statements that a statement names.
    pub(super) fn deallocate<C>(&self, client: &C, statement: &Statement)
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
    pub(super) fn tag(&self, statement: &Statement, status: TransactionStatus) -> &'static str {
        match (statement, status) {
            (Statement::Commit, TransactionStatus::Error) => Statement::Rollback.tag(),
            _ => statement.tag(),
        }
    }
}

fn no_plan() -> SqlError {
    SqlError::new("XX000", "a query was not planned before it was executed")
}
