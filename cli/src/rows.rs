//! Rows as they arrive: an Arrow stream, decoded batch by batch. Arrow rather than JSON, because it
//! has the names and types of the columns even if there are no rows.

use std::collections::VecDeque;

use arrow::{
    array::RecordBatch, buffer::Buffer, datatypes::SchemaRef, error::ArrowError,
    ipc::reader::StreamDecoder,
};
use http::{Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Serialize;

use crate::client::{AdminUrl, Client, ClientError, root_cause};

const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";

impl Client {
    /// Runs a statement. Returns once the columns are known.
    pub(crate) async fn query(&self, statement: &str) -> Result<Rows, ClientError> {
        #[derive(Serialize)]
        struct Body<'a> {
            query: &'a str,
        }
        match self.post("/query", &Body { query: statement }, ARROW_STREAM).await {
            Ok(response) => Rows::begin(self.url(), response).await,
            // The ingress, perhaps, or a server of something else.
            Err(ClientError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => {
                Err(ClientError::NotAdmin { url: self.url().clone(), why: refusal.message })
            }
            Err(error) => Err(error),
        }
    }
}

/// The rows of an answer. Dropping it ends the query.
#[derive(Debug)]
pub(crate) struct Rows {
    schema: SchemaRef,
    stream: Stream,
    /// Rows that came with the schema.
    ready: VecDeque<RecordBatch>,
}

impl Rows {
    async fn begin(url: &AdminUrl, response: Response<Incoming>) -> Result<Self, ClientError> {
        let not_admin = |why: String| ClientError::NotAdmin { url: url.clone(), why };
        let content_type = response.headers().get(header::CONTENT_TYPE);
        if content_type.is_none_or(|it| it != ARROW_STREAM) {
            let sent = content_type.map_or_else(
                || "nothing".to_owned(),
                |it| it.as_bytes().escape_ascii().to_string(),
            );
            return Err(not_admin(format!("it answered a query with {sent} instead of rows")));
        }
        let mut stream = Stream {
            body: response.into_body(),
            decoder: StreamDecoder::new(),
            piece: Buffer::default(),
        };
        let mut ready = VecDeque::new();
        loop {
            let batch = stream.next().await?;
            let is_end = batch.is_none();
            ready.extend(batch);
            if let Some(schema) = stream.decoder.schema() {
                return Ok(Self { schema, stream, ready });
            }
            if is_end {
                return Err(not_admin("its answer has no columns".to_owned()));
            }
        }
    }

    /// The columns.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next rows; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>, ClientError> {
        match self.ready.pop_front() {
            Some(batch) => Ok(Some(batch)),
            None => self.stream.next().await,
        }
    }
}

#[derive(Debug)]
struct Stream {
    body: Incoming,
    decoder: StreamDecoder,
    /// What has arrived and is not decoded yet.
    piece: Buffer,
}

impl Stream {
    async fn next(&mut self) -> Result<Option<RecordBatch>, ClientError> {
        let undecodable = |error: ArrowError| ClientError::BrokenOff(error.to_string());
        loop {
            if let Some(batch) = self.decoder.decode(&mut self.piece).map_err(undecodable)? {
                return Ok(Some(batch));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.piece = frame.into_data().unwrap_or_default().into(),
                Some(Err(error)) => return Err(ClientError::BrokenOff(root_cause(&error))),
                None => {
                    self.decoder.finish().map_err(undecodable)?;
                    return Ok(None);
                }
            }
        }
    }
}
