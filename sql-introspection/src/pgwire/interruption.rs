//! What ends a statement before it is done: its client, or the time that its client gives it. The
//! server's own limit is the engine's.

use std::future::Future;

use pgwire::{error::PgWireResult, messages::response::TransactionStatus};

use super::session::Session;
use crate::error::SqlError;

impl Session {
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

    /// Does the work of a statement whose transaction is in this status, in the time that the
    /// session gives it.
    pub(super) async fn in_time<T>(
        &self,
        status: TransactionStatus,
        work: impl Future<Output = PgWireResult<T>>,
    ) -> PgWireResult<T> {
        let limit = {
            let mut settings = self.settings();
            // A statement outside of a transaction is one of its own.
            if status == TransactionStatus::Idle {
                settings.end_transaction();
            }
            settings.statement_timeout()
        };
        let Some(limit) = limit else { return work.await };
        let done = tokio::time::timeout(limit, work).await;
        done.unwrap_or_else(|_| Err(SqlError::out_of_time().into()))
    }
}
