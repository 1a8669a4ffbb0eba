//! A session: what it consists of, and how it prepares a statement. How it executes one is in
//! `execution`; the messages that bring statements are in `simple` and `extended`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgwire::api::Type;
use tokio::sync::Notify;

use super::{
    cursor::Cursor, kept::Kept, listening::Listening, parameters::typed, prepared::Prepared,
    rows::single, session_functions, shared_bytes::SharedBytes, statement::Statement,
};
use crate::{
    dialect::{names, setting_functions},
    error::SqlError,
    feed::Feed,
    query::Client,
    session_settings::{SessionSettings, SharedSettings},
};

/// A session.
pub(super) struct Session {
    pub(super) client: Client,
    /// Woken to cancel what is running.
    pub(super) cancelled: Arc<Notify>,
    pub(super) listening: Listening,
    settings: SharedSettings,
    kept: Mutex<Kept>,
}

impl Session {
    pub(super) fn new(
        client: Client,
        cancelled: Arc<Notify>,
        prepared: &SharedBytes,
        feed: Arc<dyn Feed>,
    ) -> Self {
        let listening = Listening::new(feed);
        let (settings, kept) = (SharedSettings::default(), Mutex::new(Kept::new(prepared)));
        Self { client, cancelled, listening, settings, kept }
    }

    /// Takes over who a client is, and the settings that it has sent with its first message.
    ///
    /// # Errors
    /// Returns an error if results could not be what the client then expects.
    pub(super) fn start(&self, parameters: &HashMap<String, String>) -> Result<(), SqlError> {
        self.kept().user = parameters.get("user").cloned().unwrap_or_default();
        self.settings().start(parameters)
    }

    pub(super) fn settings(&self) -> MutexGuard<'_, SessionSettings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
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
                session_functions::answer(&mut query, &self.kept().user, &self.settings())?;
                let plan = self.client.engine().plan(query).await?;
                let plan = setting_functions::in_session(plan, &self.settings)?;
                let (plan, parameters) = typed(plan, declared)?;
                (Some(plan), parameters)
            }
            None => (None, Vec::new()),
        };
        let schema = match (&statement, &plan) {
            (Statement::Query(_), Some(plan)) => Some(Arc::clone(plan.schema().inner())),
            (Statement::Show(name), _) => {
                Some(single(name, &self.settings().show(name)?)?.schema())
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
}
