//! Accepts connections.

use std::future::Future;
use std::sync::Arc;

use tokio::{net::TcpListener, task::JoinSet};

use super::{
    cancel::Cancels,
    connection::{self, Shared},
    door::Door,
    frames,
    shared_bytes::SharedBytes,
    startup::Access,
    tls::Tls,
};
use crate::{engine::Engine, feed::Feed, query::Client};

/// Limits of the server.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Number of connections at a time, with those that are on their way in, of which up to
    /// [`super::CONNECTIONS_WAITING_MAX`] are. Further ones are refused, or the oldest of those on their way end.
    pub connections_max: usize,
    /// Number of queries that one connection may have open.
    pub queries_max: usize,
}

/// The prepared statements and portals of all connections, in bytes.
const PREPARED_BYTES_MAX: usize = 32 << 20;

/// Serves the PostgreSQL protocol.
pub struct Server {
    engine: Arc<Engine>,
    shared: Arc<Shared>,
    settings: Settings,
}

impl Server {
    /// A server of an engine's tables.
    pub fn new(
        engine: Arc<Engine>,
        feed: Arc<dyn Feed>,
        access: Access,
        tls: Option<Tls>,
        settings: Settings,
    ) -> Self {
        let shared = Shared {
            access,
            tls,
            cancels: Cancels::default(),
            large_messages: frames::large_messages(),
            prepared: SharedBytes::new(PREPARED_BYTES_MAX),
            feed,
        };
        Self { engine, shared: Arc::new(shared), settings }
    }

    /// Serves until `shutdown` resolves; then ends all connections.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let mut door = Door::new(self.settings.connections_max);
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => door.admit(|visitor| {
                    let client = Client::new(&self.engine, self.settings.queries_max);
                    let shared = Arc::clone(&self.shared);
                    connections.spawn(async move {
                        let served = connection::serve(stream, &shared, client, visitor).await;
                        if let Err(error) = served {
                            tracing::debug!("a connection for SQL has ended: {error}");
                        }
                    })
                }),
                Err(error) => {
                    tracing::warn!("cannot accept a connection for SQL: {error}");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
        connections.shutdown().await;
    }
}
