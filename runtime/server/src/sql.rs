//! Runs SQL on threads of its own, which leave the cores to everything else.

use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use runtime_admin::{Queries, QueryError, RowFormat, query::Rows};
use sql_introspection::{
    Client, Engine, Source, SqlError,
    feed::Feed,
    output,
    pgwire::{Server, Settings},
};
use tokio::{net::TcpListener, runtime, sync::mpsc, task::JoinHandle};

use crate::{config::sql::Sql, panics};

/// How much the threads give way to others, on the scale of the system's `nice`.
const NICE: i32 = 10;

/// The number of a connection's open queries: a result that is being read, and a cursor or two.
const QUERIES_OF_CONNECTION_MAX: usize = 3;

/// SQL, running.
pub(crate) struct Running {
    threads: Threads,
    server: JoinHandle<()>,
}

/// The threads of SQL. They end when this is dropped.
struct Threads {
    /// `None` once it has been dropped.
    runtime: Option<runtime::Runtime>,
    handle: runtime::Handle,
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
    /// Starts the threads and serves `listener`.
    ///
    /// # Errors
    /// Returns an error if the system cannot start threads.
    pub(crate) async fn start(
        listener: TcpListener,
        settings: &Sql,
        (connections_max, memory_bytes): (usize, usize),
        source: Arc<dyn Source>,
        feed: Arc<dyn Feed>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(Self, Arc<Engine>)> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(cores)
            // A panic ends a connection, as it ends a request elsewhere.
            .thread_name(panics::EDGE_THREAD)
            .on_thread_start(|| {
                if let Err(error) = rustix::process::nice(NICE) {
                    tracing::debug!(%error, "the priority of SQL's threads cannot be lowered");
                }
            })
            .build()
            .context("the threads of SQL cannot be started")?;
        let threads = Threads { handle: runtime.handle().clone(), runtime: Some(runtime) };
        let engine = threads.handle.spawn(Engine::new(
            source,
            sql_introspection::Settings {
                memory_bytes,
                queries_max: settings.queries_max,
                query_timeout: settings.query_timeout,
                threads: cores,
            },
        ));
        let engine = Arc::new(engine.await?.context("the tables of SQL cannot be set up")?);
        let limits = Settings {
            connections_max,
            queries_max: QUERIES_OF_CONNECTION_MAX.min(settings.queries_max),
        };
        let (access, tls) = (settings.access.clone(), settings.tls.clone());
        let server = Server::new(Arc::clone(&engine), feed, access, tls, limits);
        let server = threads.handle.spawn(server.serve(listener, shutdown));
        Ok((Self { threads, server }, engine))
    }

    /// Runs a task beside the queries.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.threads.handle.spawn(task);
    }

    /// Waits until the server has ended. It does once its shutdown has begun.
    pub(crate) async fn stopped(self) {
        if let Err(error) = self.server.await {
            tracing::error!("the server of SQL has ended early: {error}");
        }
    }
}

/// The number of queries that all clients of the admin API may have open.
const QUERIES_OF_ADMIN_MAX: usize = 4;

/// Pieces of an answer that wait for a client to read.
const PIECES_MAX: usize = 2;

/// Runs the queries of the admin API.
pub(crate) struct AdminQueries {
    client: Client,
    threads: runtime::Handle,
}

impl Running {
    /// What the admin API needs.
    pub(crate) fn for_admin(&self, engine: &Arc<Engine>, settings: &Sql) -> AdminQueries {
        let queries_max = QUERIES_OF_ADMIN_MAX.min(settings.queries_max);
        AdminQueries {
            client: Client::of_many(engine, queries_max),
            threads: self.threads.handle.clone(),
        }
    }
}

impl Queries for AdminQueries {
    fn run<'a>(
        &'a self,
        query: String,
        format: RowFormat,
    ) -> Pin<Box<dyn Future<Output = Result<Rows, QueryError>> + Send + 'a>> {
        let (sender, mut pieces) = mpsc::channel(PIECES_MAX);
        let client = self.client.clone();
        // Ends when the receiver is gone.
        self.threads.spawn(async move {
            let encoded = match start(&client, &query, format).await {
                Ok(encoded) => encoded,
                Err(error) => {
                    // The client may be gone.
                    let _ = sender.send(Err(refusal(&error))).await;
                    return;
                }
            };
            tokio::pin!(encoded);
            while let Some(piece) = encoded.next().await {
                if sender.send(piece.map_err(|error| refusal(&error))).await.is_err() {
                    break;
                }
            }
        });
        Box::pin(async move {
            // An error in the first piece still gets a status of its own.
            let first = pieces.recv().await.transpose()?;
            let rest = stream::poll_fn(move |context| pieces.poll_recv(context));
            Ok(stream::iter(first.map(Ok)).chain(rest).boxed())
        })
    }
}

async fn start(
    client: &Client,
    query: &str,
    format: RowFormat,
) -> Result<impl Stream<Item = Result<Bytes, SqlError>>, SqlError> {
    let plan = client.engine().plan_one(query).await?;
    let batches = client.run(plan, None).await?;
    let format = match format {
        RowFormat::Json => output::Format::Json,
        RowFormat::Arrow => output::Format::Arrow,
    };
    Ok(output::encode(batches, format))
}

fn refusal(error: &SqlError) -> QueryError {
    let text = match &error.hint {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    };
    match error.code {
        "57P01" => QueryError::Stopping(text),
        "53400" | "57014" | "72000" => QueryError::Busy(text),
        code if code.starts_with("XX") => QueryError::Failed(text),
        _ => QueryError::Wrong(text),
    }
}
