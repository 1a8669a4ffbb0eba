//! Queries of the admin API, run on the threads of SQL.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use runtime_admin::{Queries, QueryError, QueryFault, RowFormat, query::Rows};
use sql_introspection::{Client, Engine, SqlError, output};
use tokio::{runtime, sync::mpsc};

/// The number of queries that all clients of the admin API may have open.
const QUERIES_OF_ADMIN_MAX: usize = 4;

/// Pieces of an answer that wait for a client to read.
const PIECES_MAX: usize = 2;

type Reader = mpsc::Sender<Result<Bytes, QueryError>>;

/// Runs the queries of the admin API.
pub(crate) struct AdminQueries {
    client: Client,
    threads: runtime::Handle,
}

impl AdminQueries {
    /// Runs them on the given threads.
    pub(crate) fn new(engine: &Arc<Engine>, queries_max: usize, threads: &runtime::Handle) -> Self {
        let queries_max = QUERIES_OF_ADMIN_MAX.min(queries_max);
        Self { client: Client::of_many(engine, queries_max), threads: threads.clone() }
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
        self.threads.spawn(async move {
            // A query may take long before its first row, so it also ends when nobody waits for it.
            let reader = sender.clone();
            tokio::select! {
                () = answer(&client, &query, format, &sender) => (),
                () = reader.closed() => (),
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

/// Sends the rows of a query, or why there are none.
async fn answer(client: &Client, query: &str, format: RowFormat, reader: &Reader) {
    let encoded = match start(client, query, format).await {
        Ok(encoded) => encoded,
        Err(error) => {
            // The reader may be gone.
            let _ = reader.send(Err(refusal(&error))).await;
            return;
        }
    };
    tokio::pin!(encoded);
    let mut has_begun = false;
    while let Some(piece) = encoded.next().await {
        // Most clients only see that the response ends.
        if let Err(SqlError { code, message, .. }) = &piece
            && has_begun
        {
            tracing::warn!(code, error = %message, "the answer to a query of the admin API was broken off");
        }
        has_begun = true;
        if reader.send(piece.map_err(|error| refusal(&error))).await.is_err() {
            return;
        }
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
    let message = match &error.hint {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    };
    let fault = match error.code {
        "57P01" => QueryFault::Stopping,
        "53400" | "57014" | "72000" => QueryFault::Busy,
        code if code.starts_with("XX") => QueryFault::Failed,
        _ => QueryFault::Wrong,
    };
    QueryError { fault, code: error.code, message }
}
