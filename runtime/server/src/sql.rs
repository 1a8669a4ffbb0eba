//! Runs SQL on threads of its own, which leave the cores to everything else.

use std::sync::Arc;

use anyhow::{Context, Result};
use sql_introspection::{
    Engine, Source,
    feed::Feed,
    pgwire::{Server, Settings},
};
use tokio::{net::TcpListener, runtime, task::JoinHandle};

use crate::{config::sql::Sql, panics};

/// How much the threads give way to others, on the scale of the system's `nice`.
const NICE: i32 = 10;

/// The stack of a thread, in bytes: what plans a statement calls itself for each operator of a chain,
/// with several KiB for each.
const STACK_BYTES: usize = 32 << 20;

/// The number of a connection's open queries: a result that is being read, and a cursor or two.
const QUERIES_OF_CONNECTION_MAX: usize = 3;

/// SQL, running.
pub(crate) struct Running {
    /// Where clients are served. What a query computes is elsewhere, so they are answered in time.
    clients: Threads,
    _queries: Threads,
    /// `None` if only the admin API asks.
    server: Option<JoinHandle<()>>,
}

/// The threads of SQL. They end when this is dropped.
struct Threads {
    /// `None` once it has been dropped.
    runtime: Option<runtime::Runtime>,
    handle: runtime::Handle,
}

impl Threads {
    /// Starts some that run at a low priority.
    fn start(count: usize) -> Result<Self> {
        let runtime = runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(count)
            .thread_stack_size(STACK_BYTES)
            // A panic ends a connection, as it ends a request elsewhere.
            .thread_name(panics::EDGE_THREAD)
            .on_thread_start(|| {
                if let Err(error) = rustix::process::nice(NICE) {
                    tracing::debug!(%error, "the priority of SQL's threads cannot be lowered");
                }
            })
            .build()
            .context("the threads of SQL cannot be started")?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }
}

impl Drop for Threads {
    /// Waits for no thread, since this one may be one that must not wait.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Running {
    /// Starts the threads and serves `listener`, if there is one.
    ///
    /// # Errors
    /// Returns an error if the system cannot start threads.
    pub(crate) async fn start(
        listener: Option<TcpListener>,
        settings: &Sql,
        (connections_max, memory_bytes): (usize, usize),
        source: Arc<dyn Source>,
        feed: Arc<dyn Feed>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(Self, Arc<Engine>)> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (clients, queries) = (Threads::start(cores)?, Threads::start(cores)?);
        let engine = clients.handle.spawn(Engine::new(
            source,
            sql_introspection::Settings {
                memory_bytes,
                queries_max: settings.queries_max,
                query_timeout: settings.query_timeout,
                parallelism: cores,
                threads: queries.handle.clone(),
            },
        ));
        let engine = Arc::new(engine.await?.context("the tables of SQL cannot be set up")?);
        let limits = Settings {
            connections_max,
            queries_max: QUERIES_OF_CONNECTION_MAX.min(settings.queries_max),
        };
        let (access, tls) = (settings.access.clone(), settings.tls.clone());
        let server = Server::new(Arc::clone(&engine), feed, access, tls, limits);
        let server =
            listener.map(|listener| clients.handle.spawn(server.serve(listener, shutdown)));
        Ok((Self { clients, _queries: queries, server }, engine))
    }

    /// The threads on which clients are served.
    pub(crate) fn handle(&self) -> &runtime::Handle {
        &self.clients.handle
    }

    /// Waits until the server has ended. It does once its shutdown has begun.
    pub(crate) async fn stopped(self) {
        let Some(server) = self.server else { return };
        if let Err(error) = server.await {
            tracing::error!("the server of SQL has ended early: {error}");
        }
    }
}
