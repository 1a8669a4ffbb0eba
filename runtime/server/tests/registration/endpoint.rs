//! An endpoint with a configurable response to discovery, which records the requests it received.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use protocol::{
    ProtocolVersion,
    journal::{Command, NamedCommand},
    wire::{self, control::End, frame::Frame},
};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// How an endpoint responds to discovery.
#[derive(Clone)]
pub(crate) enum Discovery {
    /// With a service of this name and one handler, after a delay.
    Offers(String, Duration),
    /// With a service of this name, whose handler declares this content type for its output.
    Types(String, &'static str),
    /// With a redirect to this address.
    PointsTo(String),
}

/// A running endpoint.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    pub(crate) async fn serve(discovery: Discovery, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Self { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let serving = endpoint.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (serving, discovery) = (serving.clone(), discovery.clone());
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls {
                        None => serving.connection(stream, discovery).await,
                        Some(tls) => {
                            // Whether a client should be refused is up to the test.
                            if let Ok(stream) = tls.accept(stream).await {
                                serving.connection(stream, discovery).await;
                            }
                        }
                    }
                });
            }
        });
        endpoint
    }

    /// Paths and queries, in the order in which they were requested.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    async fn connection(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        discovery: Discovery,
    ) {
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let (endpoint, discovery) = (self.clone(), discovery.clone());
            async move { Ok::<_, Infallible>(endpoint.answer(&request, discovery).await) }
        });
        let builder = auto::Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(
        &self,
        request: &Request<Incoming>,
        discovery: Discovery,
    ) -> Response<Full<Bytes>> {
        let uri = request.uri();
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        self.asked.lock().unwrap().push(path.to_owned());
        if !uri.path().ends_with("/discover") {
            return well();
        }
        let json = "application/json";
        let (service, output, pause) = match discovery {
            Discovery::Offers(service, pause) => (service, json, pause),
            Discovery::Types(service, content_type) => (service, content_type, Duration::ZERO),
            Discovery::PointsTo(location) => {
                return answer(307, "location", &location, Bytes::new());
            }
        };
        tokio::time::sleep(pause).await;
        let manifest = json!({
            "protocolMode": "BIDI_STREAM", "minProtocolVersion": 5, "maxProtocolVersion": 6,
            "services": [{
                "name": service, "ty": "SERVICE", "metadata": null,
                "handlers": [{
                    "name": "well", "metadata": null, "output": { "contentType": output },
                }],
            }],
        });
        let content_type = "application/vnd.restate.endpointmanifest.v4+json";
        answer(200, "content-type", content_type, manifest.to_string().into())
    }
}

/// The response of an attempt that ends at once.
fn well() -> Response<Full<Bytes>> {
    let output = Command::Output { result: Ok(Bytes::from_static(b"\"well\"")) };
    let entry = wire::command::encode(&NamedCommand::from(output), ProtocolVersion::V6);
    let mut bytes = bytes::BytesMut::new();
    Frame::new(entry.ty, entry.body).encode(&mut bytes);
    End.encode().encode(&mut bytes);
    answer(200, "content-type", ProtocolVersion::V6.content_type(), bytes.freeze())
}

fn answer(status: u16, name: &str, value: &str, body: Bytes) -> Response<Full<Bytes>> {
    Response::builder().status(status).header(name, value).body(Full::new(body)).unwrap()
}
