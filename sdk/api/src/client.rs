//! Typed calls to a runtime's ingress over HTTP, from outside a handler.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, Method, Request as HttpRequest, Response, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use protocol::surface::{self, path, status};
use serde::Deserialize;

use crate::{
    error::Terminal,
    payload::{Decode, Encode, PayloadError},
    request::{Parts, Request, SendOptions},
    service::Definition,
};

/// A client of a runtime's ingress; cheap to clone.
///
/// ```no_run
/// # use abide_sdk::prelude::*;
/// # struct Greeter;
/// # #[service]
/// # impl Greeter {
/// #     pub async fn greet(&self, _ctx: &Context, name: String) -> Result<String> { Ok(name) }
/// # }
/// # async fn example() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// let ingress = Ingress::new("http://127.0.0.1:8080");
/// let greeting = Greeter::client(&ingress).idempotency_key("g-1").greet("Ada".into()).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Ingress {
    base: String,
    transport: Arc<dyn Transport>,
}

/// Sends requests to the ingress. Implement it to add TLS or tracing, or to intercept requests in
/// tests.
pub trait Transport: Send + Sync {
    /// Sends a request and reads the whole response.
    fn send(
        &self,
        request: HttpRequest<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>>;
}

/// A request that received no response; it is unknown whether the runtime accepted it. The request
/// can safely be repeated if it has an idempotency key or is a workflow's `run`.
#[derive(Debug, thiserror::Error)]
#[error("the ingress cannot be reached: {0}")]
pub struct TransportError(#[from] pub Box<dyn std::error::Error + Send + Sync>);

/// Why a client's request failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The invocation failed, or the ingress rejected the request.
    #[error(transparent)]
    Failed(Terminal),
    /// The ingress did not respond.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The argument could not be encoded, or the result could not be decoded.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The URL or a header of the request is not valid HTTP.
    #[error("the request is not valid HTTP: {0}")]
    Request(#[from] http::Error),
}

impl Ingress {
    /// An ingress reached over plain HTTP; `base` is its URL, such as `http://127.0.0.1:8080`.
    pub fn new(base: impl Into<String>) -> Self {
        let client = HttpClient::builder(TokioExecutor::new()).build_http();
        Self::with_transport(base, Hyper(client))
    }

    /// An ingress reached through a custom transport.
    pub fn with_transport(base: impl Into<String>, transport: impl Transport + 'static) -> Self {
        let base = base.into().trim_end_matches('/').to_owned();
        Self { base, transport: Arc::new(transport) }
    }

    /// A handle to the invocation with this id.
    pub fn invocation<T>(&self, id: impl Into<String>) -> IngressInvocation<'_, T> {
        IngressInvocation { ingress: self, id: id.into(), marker: PhantomData }
    }

    /// Completes the awakeable `id` with a value.
    ///
    /// # Errors
    /// Returns an error if the value cannot be encoded, if `id` is not an awakeable id, or if the
    /// ingress does not respond.
    pub async fn resolve_awakeable(
        &self,
        id: &str,
        value: &(impl Encode + ?Sized),
    ) -> Result<(), ClientError> {
        let path = reserved(&[path::AWAKEABLES, &escape(id), path::RESOLVE]);
        let body = value.encode()?;
        self.exchange(Method::POST, &path, &[], Some(content_type_of(value)), body).await?;
        Ok(())
    }

    /// Completes the awakeable `id` with a failure; `reason` is its message.
    ///
    /// # Errors
    /// Returns an error if `id` is not an awakeable id, or if the ingress does not respond.
    pub async fn reject_awakeable(&self, id: &str, reason: &str) -> Result<(), ClientError> {
        let path = reserved(&[path::AWAKEABLES, &escape(id), path::REJECT]);
        let body = Bytes::copy_from_slice(reason.as_bytes());
        self.exchange(Method::POST, &path, &[], Some("text/plain"), body).await?;
        Ok(())
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        headers: &[(String, String)],
        content_type: Option<&'static str>,
        body: Bytes,
    ) -> Result<Response<Bytes>, ClientError> {
        let mut request = HttpRequest::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(content_type) = content_type.filter(|_| !body.is_empty()) {
            request = request.header(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        let response = self.transport.send(request.body(body)?).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(ClientError::Failed(failure(&response)))
    }
}

/// The failure described by an unsuccessful response.
fn failure(response: &Response<Bytes>) -> Terminal {
    #[derive(Deserialize)]
    struct ErrorBody {
        message: String,
        #[serde(default)]
        metadata: std::collections::BTreeMap<String, String>,
    }
    let code = response.status().as_u16();
    match serde_json::from_slice::<ErrorBody>(response.body()) {
        Ok(ErrorBody { message, metadata }) => metadata
            .into_iter()
            .fold(Terminal::new(code, message), |terminal, (key, value)| terminal.with(key, value)),
        Err(_) => Terminal::new(code, String::from_utf8_lossy(response.body())),
    }
}

fn content_type_of<T: Encode + ?Sized>(_: &T) -> &'static str {
    T::content_type()
}

/// Percent-encodes a path segment (RFC 3986: all but the unreserved characters).
fn escape(segment: &str) -> String {
    let mut escaped = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// An ingress path that does not start with a service name; `segments` must already be escaped.
fn reserved(segments: &[&str]) -> String {
    format!("/{}/{}", path::RESTATE, segments.join("/"))
}

struct Hyper(HttpClient<HttpConnector, Full<Bytes>>);

impl Transport for Hyper {
    fn send(
        &self,
        request: HttpRequest<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let boxed = |error: Box<dyn std::error::Error + Send + Sync>| TransportError(error);
            let response = self.0.request(request.map(Full::new)).await;
            let (head, body) = response.map_err(|error| boxed(error.into()))?.into_parts();
            let body = body.collect().await.map_err(|error| boxed(error.into()))?.to_bytes();
            Ok(Response::from_parts(head, body))
        })
    }
}

/// Mode of a request from outside a handler whose result is awaited.
#[derive(Clone, Copy)]
pub struct Direct<'i> {
    ingress: &'i Ingress,
}

/// Mode of a one-way request from outside a handler.
#[derive(Clone, Copy)]
pub struct DirectOneWay<'i> {
    ingress: &'i Ingress,
    delay: Duration,
}

/// A client of a virtual object or workflow, before a key is selected with [`key`](Self::key).
pub struct KeyedClient<'i, D> {
    ingress: &'i Ingress,
    marker: PhantomData<fn() -> D>,
}

impl<'i, D: Definition> KeyedClient<'i, D> {
    pub(crate) fn new(ingress: &'i Ingress) -> Self {
        Self { ingress, marker: PhantomData }
    }

    /// A request to the object or workflow with this key.
    pub fn key(&self, key: impl Into<String>) -> D::Request<Direct<'i>> {
        Request::direct(self.ingress, D::NAME, key.into()).into()
    }
}

/// A handle to an invocation, for use outside a handler.
#[derive(Clone)]
pub struct IngressInvocation<'i, T> {
    ingress: &'i Ingress,
    id: String,
    marker: PhantomData<fn() -> T>,
}

impl<T> IngressInvocation<'_, T> {
    /// The invocation id.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl<T: Decode> IngressInvocation<'_, T> {
    /// Waits until the invocation completes, and returns its result.
    ///
    /// # Errors
    /// Returns the invocation's failure, or an error if the invocation is unknown or the request
    /// fails.
    pub async fn attach(&self) -> Result<T, ClientError> {
        attach(self.ingress, &reserved(&[path::INVOCATION, &escape(&self.id)])).await
    }

    /// Returns the invocation's result if it has completed, `None` otherwise.
    ///
    /// # Errors
    /// Returns the invocation's failure, or an error if the invocation is unknown or the request
    /// fails.
    pub async fn output(&self) -> Result<Option<T>, ClientError> {
        output(self.ingress, &reserved(&[path::INVOCATION, &escape(&self.id)])).await
    }
}

async fn attach<T: Decode>(ingress: &Ingress, path: &str) -> Result<T, ClientError> {
    let path = format!("{path}/{}", path::ATTACH);
    let response = ingress.exchange(Method::GET, &path, &[], None, Bytes::new()).await?;
    Ok(T::decode(response.into_body())?)
}

async fn output<T: Decode>(ingress: &Ingress, path: &str) -> Result<Option<T>, ClientError> {
    let path = format!("{path}/{}", path::OUTPUT);
    match ingress.exchange(Method::GET, &path, &[], None, Bytes::new()).await {
        Ok(response) => Ok(Some(T::decode(response.into_body())?)),
        Err(ClientError::Failed(failed)) if failed.code() == status::NOT_READY => Ok(None),
        Err(error) => Err(error),
    }
}

impl<'i> Request<Direct<'i>> {
    pub(crate) fn direct(ingress: &'i Ingress, service: &'static str, key: String) -> Self {
        Self { parts: Parts::to(service, key), mode: Direct { ingress } }
    }

    /// Calls a handler and waits for its result; used by macro-generated code.
    ///
    /// # Errors
    /// Returns the callee's failure, or an error if the request fails.
    pub async fn call<T: Decode>(
        self,
        handler: &str,
        argument: impl Encode,
    ) -> Result<T, ClientError> {
        let response =
            exchange(self.mode.ingress, self.parts, handler, path::CALL, "", &argument).await?;
        Ok(T::decode(response.into_body())?)
    }

    /// Waits for the result of a workflow's `run`; used by macro-generated code.
    ///
    /// # Errors
    /// Returns the workflow's failure, or an error if there is no such workflow or the request
    /// fails.
    pub async fn attach<T: Decode>(self) -> Result<T, ClientError> {
        attach(self.mode.ingress, &self.workflow_path()).await
    }

    /// The result of a workflow's `run` if it has completed, `None` otherwise; used by
    /// macro-generated code.
    ///
    /// # Errors
    /// Returns the workflow's failure, or an error if there is no such workflow or the request
    /// fails.
    pub async fn output<T: Decode>(self) -> Result<Option<T>, ClientError> {
        output(self.mode.ingress, &self.workflow_path()).await
    }

    fn workflow_path(&self) -> String {
        reserved(&[path::WORKFLOW, &self.parts.service, &escape(&self.parts.key)])
    }
}

impl<'i> SendOptions for Request<Direct<'i>> {
    type OneWay = Request<DirectOneWay<'i>>;

    fn after(self, delay: Duration) -> Request<DirectOneWay<'i>> {
        let mode = DirectOneWay { ingress: self.mode.ingress, delay };
        Request { parts: self.parts, mode }
    }
}

impl<'i> Request<DirectOneWay<'i>> {
    /// Sends a one-way request; used by macro-generated code.
    ///
    /// # Errors
    /// Returns an error if the ingress rejects the request or does not respond.
    pub async fn call<T>(
        self,
        handler: &str,
        argument: impl Encode,
    ) -> Result<IngressInvocation<'i, T>, ClientError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Accepted {
            invocation_id: String,
        }
        let DirectOneWay { ingress, delay } = self.mode;
        let query = match delay.as_millis() {
            0 => String::new(),
            delay_ms => format!("?delay={delay_ms}ms"),
        };
        let verb = path::SEND;
        let response = exchange(ingress, self.parts, handler, verb, &query, &argument).await?;
        let accepted: Accepted = serde_json::from_slice(response.body())
            .map_err(|error| PayloadError::new::<Accepted>("read", error))?;
        Ok(ingress.invocation(accepted.invocation_id))
    }
}

async fn exchange(
    ingress: &Ingress,
    parts: Parts,
    handler: &str,
    verb: &str,
    query: &str,
    argument: &impl Encode,
) -> Result<Response<Bytes>, ClientError> {
    let key = match parts.key.as_str() {
        "" => String::new(),
        key => format!("{}/", escape(key)),
    };
    let path = match &parts.scope {
        None if verb == path::CALL => format!("/{}/{key}{handler}{query}", parts.service),
        None => format!("/{}/{key}{handler}/{verb}{query}", parts.service),
        Some(scope) => {
            let scoped = reserved(&[path::SCOPE, &escape(scope), verb, &parts.service]);
            format!("{scoped}/{key}{handler}{query}")
        }
    };
    let mut headers = parts.headers;
    headers.extend(
        parts.idempotency_key.map(|key| (surface::header::IDEMPOTENCY_KEY.to_owned(), key)),
    );
    headers.extend(parts.limit_key.map(|key| (surface::header::LIMIT_KEY.to_owned(), key)));
    let content_type = Some(content_type_of(argument));
    ingress.exchange(Method::POST, &path, &headers, content_type, argument.encode()?).await
}
