//! Rows as they arrive: an Arrow stream, decoded batch by batch. Arrow rather than JSON, because it
//! has the names and types of the columns even if there are no rows.

use std::collections::VecDeque;

use arrow::{
    array::RecordBatch, buffer::Buffer, datatypes::SchemaRef, error::ArrowError,
    ipc::reader::StreamDecoder,
};
use http::{Method, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Serialize;

use crate::client::{AdminUrl, Client, ClientError, Refusal, root_cause};

const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";

impl Client {
    /// Runs a statement. Returns once the columns are known.
    pub(crate) async fn query(&self, statement: &str) -> Result<Rows, ClientError> {
        #[derive(Serialize)]
        struct Body<'a> {
            query: &'a str,
        }
        match self
            .send(Method::POST, "/query", Some(&Body { query: statement }), ARROW_STREAM)
            .await
        {
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
            status: response.status(),
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
    status: StatusCode,
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
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => self.piece = piece.into(),
                    Err(frame) => {
                        let trailers = frame.trailers_ref();
                        let failure = trailers.and_then(|it| Refusal::of_trailers(self.status, it));
                        if let Some(failure) = failure {
                            return Err(ClientError::Failed(failure));
                        }
                    }
                },
                Some(Err(error)) => return Err(ClientError::BrokenOff(root_cause(&error))),
                None => {
                    self.decoder.finish().map_err(undecodable)?;
                    return Ok(None);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::thread;

    use arrow::{
        array::{ArrayRef, Int64Array},
        ipc::writer::StreamWriter,
    };

    use super::*;

    /// A stream of three batches of two rows.
    fn stream() -> Vec<u8> {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
        let mut writer = StreamWriter::try_new(Vec::new(), batch.schema_ref()).unwrap();
        (0..3).for_each(|_| writer.write(&batch).unwrap());
        writer.into_inner().unwrap()
    }

    /// How many rows there are in an answer that is sent in these chunks, each as it is.
    async fn rows_in(head: &str, chunks: Vec<Vec<u8>>) -> Result<usize, ClientError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let head = head.to_owned();
        let server = thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                let mut byte = [0];
                connection.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            connection.write_all(head.as_bytes()).unwrap();
            for chunk in chunks {
                connection.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).unwrap();
                connection.write_all(&[&chunk, b"\r\n".as_slice()].concat()).unwrap();
            }
            request
        });
        let count = async {
            let mut rows = Client::new(url).query("select 1").await?;
            let mut count = 0;
            while let Some(batch) = rows.next().await? {
                count += batch.num_rows();
            }
            Ok(count)
        };
        let count = count.await;
        let request = String::from_utf8(server.join().unwrap()).unwrap();
        assert!(request.starts_with("POST /query HTTP/1.1\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\n{\"query\":\"select 1\"}"), "{request}");
        count
    }

    const ARROW: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.apache.arrow.stream\r\n\
                         transfer-encoding: chunked\r\n\r\n";

    #[tokio::test]
    async fn rows_are_decoded_however_they_are_cut() {
        let stream = stream();
        for length in [1, 7, 64, stream.len()] {
            let mut chunks: Vec<_> = stream.chunks(length).map(<[u8]>::to_vec).collect();
            chunks.push(Vec::new());
            assert_eq!(rows_in(ARROW, chunks).await.unwrap(), 6, "in pieces of {length}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_ends_early_is_not_taken_for_a_whole_one() {
        let stream = stream();
        let cut = stream[..stream.len() - 100].to_vec();
        for chunks in [vec![cut.clone()], vec![cut, Vec::new()]] {
            let error = rows_in(ARROW, chunks).await.unwrap_err();
            assert!(matches!(error, ClientError::BrokenOff(_)), "{error}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_ends_early_may_say_why() {
        let said = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.apache.arrow.stream\r\n\
                    transfer-encoding: chunked\r\ntrailer: abide-query-code, abide-query-message\r\n\r\n\
                    0\r\nabide-query-code: 53200\r\nabide-query-message: too much ünï\r\n\r\n";
        let error = rows_in(said, Vec::new()).await.unwrap_err().to_string();
        assert_eq!(error, "the query failed after its first rows: too much ünï [53200]");
    }

    #[tokio::test]
    async fn other_servers_are_told_apart() {
        let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n";
        let missing = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        for head in [page, missing] {
            let error = rows_in(head, Vec::new()).await.unwrap_err();
            assert!(matches!(error, ClientError::NotAdmin { .. }), "{error}");
        }
        let error = rows_in("220 smtp.example.com ESMTP\r\n", Vec::new()).await.unwrap_err();
        assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    }
}
