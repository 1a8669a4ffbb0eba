//! Prepared statements and portals: a statement is parsed, bound to parameters, described and
//! executed in messages of their own.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use futures::{Sink, SinkExt};
use pgwire::{
    api::{
        ClientInfo, ClientPortalStore, DEFAULT_NAME, PgWireConnectionState, Type,
        portal::{Format, Portal, PortalExecutionState},
        query::{ExtendedQueryHandler, send_describe_response, send_partial_query_response},
        results::{DescribePortalResponse, Response, Tag},
        stmt::StoredStatement,
        store::{Entry, PortalStore},
    },
    error::{PgWireError, PgWireResult},
    messages::{
        PgWireBackendMessage,
        extendedquery::{
            Bind, BindComplete, Close, CloseComplete, Describe, Execute, Parse, ParseComplete,
            TARGET_TYPE_BYTE_PORTAL, TARGET_TYPE_BYTE_STATEMENT,
        },
        response::EmptyQueryResponse,
    },
};

use super::{
    execution::Reply,
    parameters::{bound, with_texts, write_out},
    prepared::{Prepared, Preparer},
    rows::{complete, fields},
    session::Session,
    statement::Statement,
};
use crate::error::SqlError;

/// What a session keeps for each type that a client declares, besides the text, in bytes.
const TYPE_BYTES: usize = 64;
/// What it keeps for each value that a client binds, besides the value, in bytes.
const VALUE_BYTES: usize = 48;

impl Session {
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
            let parameters = Some(bound(&portal)?);
            let format = &portal.result_column_format;
            match self.reply(client, prepared, parameters, format).await? {
                Reply::Rows(rows) => *state = PortalExecutionState::Suspended(rows),
                Reply::Done(tag) => {
                    *state = PortalExecutionState::Finished;
                    return complete(client, tag).await;
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
        let types_bytes = message.type_oids.len() * TYPE_BYTES;
        let text_bytes = message.query.len() + types_bytes;
        self.kept().note_statement(&name, text_bytes)?;
        let declared = message.type_oids.iter().map(|oid| Type::from_oid(*oid));
        let types: Vec<_> = declared.map(|ty| ty.filter(|ty| *ty != Type::UNKNOWN)).collect();
        let parse = async {
            let (statements, _room) = self.client.engine().parse(&message.query)?;
            let mut statements = statements.into_iter();
            let Some(statement) = statements.next() else { return Ok(None) };
            if statements.next().is_some() {
                let what = "cannot insert multiple commands into a prepared statement";
                return Err(SqlError::new("42601", what).into());
            }
            Ok(Some(self.prepare(Statement::of(statement)?, &types).await?))
        };
        let parse = self.in_time(client.transaction_status(), parse);
        match Box::pin(self.unless_cancelled(parse)).await? {
            None => client.portal_store().put_empty_statement(&name),
            Some(prepared) => {
                self.kept().note_statement(&name, text_bytes + prepared.plan_bytes())?;
                let stored = StoredStatement::new(name, prepared, types);
                client.portal_store().put_statement(Arc::new(stored));
            }
        }
        client.send(PgWireBackendMessage::ParseComplete(ParseComplete::new())).await?;
        Ok(())
    }

    async fn on_bind<C>(&self, client: &mut C, mut message: Bind) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let statement = message.statement_name.as_deref().unwrap_or(DEFAULT_NAME);
        let name = message.portal_name.clone().unwrap_or_else(|| DEFAULT_NAME.to_owned());
        let values = message.parameters.iter().flatten().map(|value| value.len()).sum::<usize>();
        let formats =
            message.parameter_format_codes.len() + message.result_column_format_codes.len();
        let bytes = values + (message.parameters.len() + formats) * VALUE_BYTES;
        self.kept().note_portal(&name, bytes)?;
        match client.portal_store().get_statement(statement) {
            Some(Entry::Value(statement)) => {
                write_out(&mut message, &statement.statement.parameters);
                let portal = Portal::try_new(&message, with_texts(statement))?;
                client.portal_store().put_portal(Arc::new(portal));
            }
            Some(Entry::Empty) => client.portal_store().put_empty_portal(&name),
            None => {
                let what = format!("prepared statement \"{statement}\" does not exist");
                return Err(SqlError::new("26000", what).into());
            }
        }
        client.send(PgWireBackendMessage::BindComplete(BindComplete::new())).await?;
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
        let status = client.transaction_status();
        let executed = self.in_time(status, self.extended(client, message));
        Box::pin(self.unless_cancelled(executed)).await?;
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
            self.kept().forget_statement(name);
        } else {
            client.portal_store().rm_portal(name);
            self.kept().forget_portal(name);
        }
        client.send(PgWireBackendMessage::CloseComplete(CloseComplete::new())).await?;
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
