//! A session: its statements, its cursors, and what it has set.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use datafusion::{
    arrow::{
        array::RecordBatch,
        datatypes::{DataType, Schema, SchemaRef},
    },
    logical_expr::LogicalPlan,
};
use futures::{
    Sink, SinkExt, StreamExt,
    stream::{self, BoxStream},
};
use pgwire::{
    api::{
        ClientInfo, ClientPortalStore, DEFAULT_NAME, PgWireConnectionState, Type,
        portal::{Format, Portal, PortalExecutionState},
        query::{
            ExtendedQueryHandler, SimpleQueryHandler, send_describe_response,
            send_partial_query_response, send_query_response, send_ready_for_query,
        },
        results::{DescribePortalResponse, FieldInfo, QueryResponse, Response, Tag},
        stmt::QueryParser,
        store::{Entry, PortalStore},
    },
    error::{PgWireError, PgWireResult},
    messages::{
        PgWireBackendMessage,
        extendedquery::{
            Bind, Close, Describe, Execute, Parse, TARGET_TYPE_BYTE_PORTAL,
            TARGET_TYPE_BYTE_STATEMENT,
        },
        response::{CommandComplete, EmptyQueryResponse, TransactionStatus},
        simplequery::Query,
    },
};
use tokio::sync::Notify;

use super::{
    rows::{fields, rows, single},
    settings::SessionSettings,
    statement::Statement,
};
use crate::{
    engine::{Batches, Client},
    error::SqlError,
};

/// Prepared statements and portals that a session may have, each.
const PREPARED_MAX: usize = 1024;

/// A session.
pub(super) struct Session {
    client: Client,
    /// Woken to cancel what is running.
    cancelled: Arc<Notify>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    settings: SessionSettings,
    cursors: HashMap<String, Arc<tokio::sync::Mutex<Cursor>>>,
    statements: HashSet<String>,
    portals: HashSet<String>,
}

/// A query whose rows are fetched a few at a time.
struct Cursor {
    batches: Batches,
    /// Rows that were read but not fetched.
    rest: Option<RecordBatch>,
}

/// What a statement is answered with.
enum Answer {
    /// Rows.
    Rows { schema: SchemaRef, batches: BoxStream<'static, Result<RecordBatch, SqlError>> },
    /// Nothing but that it was done.
    Done,
}

/// A statement that was prepared.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    statement: Statement,
    /// For a query, or the query of a cursor.
    plan: Option<LogicalPlan>,
    /// Types of the parameters, in order, as far as they are known.
    parameters: Vec<Option<DataType>>,
    /// Columns of the rows, if there are any.
    schema: Option<SchemaRef>,
}

impl Session {
    pub(super) fn new(client: Client, cancelled: Arc<Notify>) -> Self {
        Self { client, cancelled, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything that was opened in a transaction.
    fn end_transaction(&self) {
        self.kept().cursors.clear();
    }

    async fn prepare(&self, statement: Statement) -> Result<Prepared, SqlError> {
        let plan = match &statement {
            Statement::Query(query) | Statement::Declare(_, query) => {
                Some(self.client.engine().plan((**query).clone()).await?)
            }
            Statement::Begin
            | Statement::Commit
            | Statement::Rollback
            | Statement::Set(..)
            | Statement::Reset(_)
            | Statement::Show(_)
            | Statement::Fetch(..)
            | Statement::Close(_)
            | Statement::Discard
            | Statement::Deallocate(_) => None,
        };
        let parameters = plan.as_ref().map_or(Ok(Vec::new()), parameters)?;
        let schema = match &statement {
            Statement::Query(_) => plan.as_ref().map(|plan| Arc::clone(plan.schema().inner())),
            Statement::Show(name) => {
                Some(single(name, &self.kept().settings.show(name)?)?.schema())
            }
            Statement::Fetch(name, _) => Some(self.cursor(name)?.lock().await.schema()),
            Statement::Begin
            | Statement::Commit
            | Statement::Rollback
            | Statement::Set(..)
            | Statement::Reset(_)
            | Statement::Declare(..)
            | Statement::Close(_)
            | Statement::Discard
            | Statement::Deallocate(_) => None,
        };
        Ok(Prepared { statement, plan, parameters, schema })
    }

    fn cursor(&self, name: &str) -> Result<Arc<tokio::sync::Mutex<Cursor>>, SqlError> {
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
        parameters: Option<datafusion::common::ParamValues>,
        status: TransactionStatus,
    ) -> Result<(Answer, TransactionStatus), SqlError> {
        let Prepared { statement, plan, .. } = prepared;
        let is_end = matches!(statement, Statement::Commit | Statement::Rollback);
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
                let cursor = Arc::new(tokio::sync::Mutex::new(Cursor { batches, rest: None }));
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
            // Their store belongs to the connection: see `deallocate`.
            Statement::Deallocate(_) => Answer::Done,
        };
        Ok((answer, after))
    }

    async fn simple<C>(&self, client: &mut C, sql: &str) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let statements = self.client.engine().parse(sql)?;
        if statements.is_empty() {
            client
                .feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new()))
                .await?;
        }
        for statement in statements {
            let statement = Statement::of(statement)?;
            let tag = self.tag(&statement, client.transaction_status());
            self.deallocate(client, &statement);
            let prepared = self.prepare(statement).await?;
            let (answer, after) = self.execute(prepared, None, client.transaction_status()).await?;
            client.set_transaction_status(after);
            match answer {
                Answer::Done => complete(client, Tag::new(tag)).await?,
                Answer::Rows { schema, batches } => {
                    let fields = fields(&schema, &Format::UnifiedText)?;
                    let mut response =
                        QueryResponse::new(Arc::clone(&fields), rows(batches, fields));
                    response.set_command_tag(tag);
                    send_query_response(client, response, true).await?;
                }
            }
        }
        Ok(())
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
            None => kept.statements.iter().cloned().collect(),
        };
        for name in names {
            client.portal_store().rm_statement(&name);
            kept.statements.remove(&name);
        }
    }

    fn tag(&self, statement: &Statement, status: TransactionStatus) -> &'static str {
        match (statement, status) {
            (Statement::Commit, TransactionStatus::Error) => Statement::Rollback.tag(),
            _ => statement.tag(),
        }
    }

    async fn extended<C>(&self, client: &mut C, message: Execute) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        let rows_max = usize::try_from(message.max_rows).unwrap_or(0);
        let portal = match client.portal_store().get_portal(name) {
            Some(Entry::Value(portal)) => portal,
            Some(Entry::Empty) => {
                client
                    .feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new()))
                    .await?;
                return Ok(());
            }
            None => {
                let what = format!("portal \"{name}\" does not exist");
                return Err(SqlError::new("34000", what).into());
            }
        };
        let state = portal.state();
        let mut state = state.lock().await;
        if matches!(*state, PortalExecutionState::Initial) {
            let prepared = portal.statement.statement.clone();
            let tag = self.tag(&prepared.statement, client.transaction_status());
            self.deallocate(client, &prepared.statement);
            let parameters = bound(&portal)?;
            let status = client.transaction_status();
            let (answer, after) = self.execute(prepared, Some(parameters), status).await?;
            client.set_transaction_status(after);
            match answer {
                Answer::Done => {
                    *state = PortalExecutionState::Finished;
                    return complete(client, Tag::new(tag)).await;
                }
                Answer::Rows { schema, batches } => {
                    let fields = fields(&schema, &portal.result_column_format)?;
                    let mut response =
                        QueryResponse::new(Arc::clone(&fields), rows(batches, fields));
                    response.set_command_tag(tag);
                    *state = PortalExecutionState::Suspended(response);
                }
            }
        }
        match &mut *state {
            PortalExecutionState::Suspended(response) => {
                if !send_partial_query_response(client, response, rows_max).await? {
                    *state = PortalExecutionState::Finished;
                }
            }
            PortalExecutionState::Initial | PortalExecutionState::Finished => {
                let tag = portal.statement.statement.statement.tag();
                complete(client, Tag::new(tag).with_rows(0)).await?;
            }
        }
        Ok(())
    }
}

fn no_plan() -> SqlError {
    SqlError::new("XX000", "a query was not planned before it was executed")
}

async fn complete<C>(client: &mut C, tag: Tag) -> PgWireResult<()>
where
    C: Sink<PgWireBackendMessage> + Unpin,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    client.feed(PgWireBackendMessage::CommandComplete(CommandComplete::from(tag))).await?;
    Ok(())
}

impl Cursor {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.batches.schema())
    }

    /// The next rows, at most `left`; and how many are left to fetch.
    async fn next(
        &mut self,
        left: Option<u64>,
    ) -> Option<(Result<RecordBatch, SqlError>, Option<u64>)> {
        let wanted = left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return None;
        }
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => match self.batches.next().await? {
                Ok(batch) => batch,
                // Nothing comes after an error.
                Err(error) => return Some((Err(error), Some(0))),
            },
        };
        let taken = batch.num_rows().min(wanted);
        if taken < batch.num_rows() {
            self.rest = Some(batch.slice(taken, batch.num_rows() - taken));
        }
        let left = left.map(|left| left - taken as u64);
        Some((Ok(batch.slice(0, taken)), left))
    }
}

/// Types of a plan's parameters, in order.
fn parameters(plan: &LogicalPlan) -> Result<Vec<Option<DataType>>, SqlError> {
    let known = plan.get_parameter_types()?;
    let number = |name: &str| name.strip_prefix('$').and_then(|it| it.parse::<usize>().ok());
    let mut types = Vec::new();
    for (name, ty) in known {
        let Some(number @ 1..=PARAMETERS_MAX) = number(&name) else {
            return Err(SqlError::new("42P02", format!("there is no parameter {name}"))
                .hint("parameters are written $1, $2 and so on"));
        };
        types.resize(types.len().max(number), None);
        types[number - 1] = ty;
    }
    Ok(types)
}

/// The protocol counts parameters in two bytes.
const PARAMETERS_MAX: usize = 65_535;

/// The values of a portal's parameters.
fn bound(portal: &Portal<Prepared>) -> PgWireResult<datafusion::common::ParamValues> {
    let wanted = portal.statement.statement.parameters.len();
    let given = portal.parameter_len();
    if wanted != given {
        let what = format!("the statement has {wanted} parameters, and {given} were bound");
        return Err(SqlError::new("08P01", what).into());
    }
    if let Format::Individual(formats) = &portal.parameter_format
        && formats.len() != given
    {
        let what = format!("{given} parameters were bound with {} formats", formats.len());
        return Err(SqlError::new("08P01", what).into());
    }
    let types: Vec<_> = portal.statement.statement.parameters.iter().map(Option::as_ref).collect();
    arrow_pg::datatypes::df::deserialize_parameters(portal, &types)
}

#[async_trait]
impl SimpleQueryHandler for Session {
    async fn on_query<C>(&self, client: &mut C, query: Query) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if !matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
            return Err(PgWireError::NotReadyForQuery);
        }
        client.set_state(PgWireConnectionState::QueryInProgress);
        tokio::select! {
            answered = self.simple(client, &query.query) => answered?,
            () = self.cancelled.notified() => return Err(SqlError::cancelled().into()),
        }
        client.set_state(PgWireConnectionState::ReadyForQuery);
        let status = client.transaction_status();
        send_ready_for_query(client, status).await
    }

    async fn do_query<C>(&self, _: &mut C, _: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        Err(SqlError::new("XX000", "queries are answered by on_query").into())
    }
}

#[async_trait]
impl ExtendedQueryHandler for Session {
    type Statement = Prepared;
    type QueryParser = Preparer;

    fn query_parser(&self) -> Arc<Preparer> {
        Arc::new(Preparer)
    }

    async fn on_parse<C>(&self, client: &mut C, message: Parse) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.clone().unwrap_or_else(|| DEFAULT_NAME.to_owned());
        {
            let mut kept = self.kept();
            if kept.statements.len() >= PREPARED_MAX && !kept.statements.contains(&name) {
                let what = format!("a session may have {PREPARED_MAX} prepared statements");
                return Err(SqlError::new("53400", what).hint("close some of them").into());
            }
            kept.statements.insert(name.clone());
        }
        let parse = async {
            let mut statements = self.client.engine().parse(&message.query)?.into_iter();
            let Some(statement) = statements.next() else { return Ok(None) };
            if statements.next().is_some() {
                let what = "cannot insert multiple commands into a prepared statement";
                return Err(SqlError::new("42601", what));
            }
            Ok(Some(self.prepare(Statement::of(statement)?).await?))
        };
        let parsed = tokio::select! {
            parsed = parse => parsed?,
            () = self.cancelled.notified() => return Err(SqlError::cancelled().into()),
        };
        match parsed {
            None => client.portal_store().put_empty_statement(&name),
            Some(prepared) => {
                let types = message.type_oids.iter().map(|oid| Type::from_oid(*oid)).collect();
                let stored = pgwire::api::stmt::StoredStatement::new(name, prepared, types);
                client.portal_store().put_statement(Arc::new(stored));
            }
        }
        client
            .send(PgWireBackendMessage::ParseComplete(
                pgwire::messages::extendedquery::ParseComplete::new(),
            ))
            .await?;
        Ok(())
    }

    async fn on_bind<C>(&self, client: &mut C, message: Bind) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let statement = message.statement_name.as_deref().unwrap_or(DEFAULT_NAME);
        let name = message.portal_name.clone().unwrap_or_else(|| DEFAULT_NAME.to_owned());
        {
            let mut kept = self.kept();
            if kept.portals.len() >= PREPARED_MAX && !kept.portals.contains(&name) {
                let what = format!("a session may have {PREPARED_MAX} portals");
                return Err(SqlError::new("53400", what).hint("close some of them").into());
            }
            kept.portals.insert(name.clone());
        }
        match client.portal_store().get_statement(statement) {
            Some(Entry::Value(statement)) => {
                let portal = Portal::try_new(&message, statement)?;
                client.portal_store().put_portal(Arc::new(portal));
            }
            Some(Entry::Empty) => client.portal_store().put_empty_portal(&name),
            None => {
                let what = format!("prepared statement \"{statement}\" does not exist");
                return Err(SqlError::new("26000", what).into());
            }
        }
        client
            .send(PgWireBackendMessage::BindComplete(
                pgwire::messages::extendedquery::BindComplete::new(),
            ))
            .await?;
        Ok(())
    }

    async fn on_execute<C>(&self, client: &mut C, message: Execute) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if !matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
            return Err(PgWireError::NotReadyForQuery);
        }
        client.set_state(PgWireConnectionState::QueryInProgress);
        tokio::select! {
            answered = self.extended(client, message) => answered?,
            () = self.cancelled.notified() => return Err(SqlError::cancelled().into()),
        }
        client.set_state(PgWireConnectionState::ReadyForQuery);
        Ok(())
    }

    async fn on_describe<C>(&self, client: &mut C, message: Describe) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        // A cursor is a portal by the name that it was declared with.
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        if message.target_type == TARGET_TYPE_BYTE_PORTAL
            && client.portal_store().get_portal(name).is_none()
            && let Ok(cursor) = self.cursor(name)
        {
            let schema = cursor.lock().await.schema();
            let fields = Arc::unwrap_or_clone(fields(&schema, &Format::UnifiedText)?);
            return send_describe_response(client, &DescribePortalResponse::new(fields)).await;
        }
        self._on_describe(client, message).await
    }

    async fn on_close<C>(&self, client: &mut C, message: Close) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        if message.target_type == TARGET_TYPE_BYTE_STATEMENT {
            client.portal_store().rm_statement(name);
            self.kept().statements.remove(name);
        } else {
            client.portal_store().rm_portal(name);
            let mut kept = self.kept();
            kept.portals.remove(name);
            kept.cursors.remove(name);
        }
        client
            .send(PgWireBackendMessage::CloseComplete(
                pgwire::messages::extendedquery::CloseComplete::new(),
            ))
            .await?;
        Ok(())
    }

    async fn do_query<C>(&self, _: &mut C, _: &Portal<Prepared>, _: usize) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        Err(SqlError::new("XX000", "portals are executed by on_execute").into())
    }
}

/// Describes prepared statements.
pub(super) struct Preparer;

#[async_trait]
impl QueryParser for Preparer {
    type Statement = Prepared;

    async fn parse_sql<C>(
        &self,
        _: &C,
        _: &str,
        _: &[Option<Type>],
    ) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        Err(SqlError::new("XX000", "statements are prepared by on_parse").into())
    }

    fn get_parameter_types(&self, prepared: &Prepared) -> PgWireResult<Vec<Type>> {
        let ty = |ty: &Option<DataType>| match ty {
            Some(ty) => arrow_pg::datatypes::into_pg_type(ty),
            // Clients send text for it.
            None => Ok(Type::TEXT),
        };
        prepared.parameters.iter().map(ty).collect()
    }

    fn get_result_schema(
        &self,
        prepared: &Prepared,
        format: Option<&Format>,
    ) -> PgWireResult<Vec<FieldInfo>> {
        let nothing = Arc::new(Schema::empty());
        let schema = prepared.schema.as_ref().unwrap_or(&nothing);
        let fields = fields(schema, format.unwrap_or(&Format::UnifiedText))?;
        Ok(Arc::unwrap_or_clone(fields))
    }
}
