//! Extracts the path, query and body of a request. Malformed input is refused in the common error
//! format, naming the field.

use std::error::Error;

use axum::{
    extract::{
        FromRequest, FromRequestParts, Request,
        path::ErrorKind,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body_util::BodyExt;
use protocol::{surface::content_type::JSON, wire::frame::DEFAULT_MAX_MESSAGE_SIZE_BYTES};
use runtime_http::body::{BodyError, Memory};
use runtime_partition::budget::Held;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::error::Category;

use crate::{Admin, error::Refusal, memory::BodyMemory, text};

/// Largest JSON body, in bytes. The largest registration is a quarter of this, even if every
/// character is escaped.
pub(crate) const JSON_BYTES_MAX: usize = 2 << 20;
/// Largest payload that is converted, in bytes: that of the largest message, since it was sent in
/// one.
pub(crate) const PAYLOAD_BYTES_MAX: usize = DEFAULT_MAX_MESSAGE_SIZE_BYTES as usize;

/// Parameters in the path.
#[derive(Debug)]
pub struct Path<T>(pub T);

/// The query. Unknown parameters are ignored.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// A JSON object, as a request or a response body.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// A JSON object as the body of a request, as large as a payload.
#[derive(Debug)]
pub struct LargeJson<T> {
    /// What it says.
    pub value: T,
    /// If the body is a large one: the memory for it.
    pub held: Option<Held>,
}

/// A body of any type.
#[derive(Debug)]
pub struct Payload {
    /// The bytes of the body.
    pub bytes: Bytes,
    /// If the body is a large one: all of the memory for bodies, which then has capacity for the
    /// response, too.
    held: Option<Held>,
}

impl Payload {
    /// Reserves all of the memory for bodies, so that one payload is processed at a time.
    ///
    /// # Errors
    /// Returns an error if too many requests wait for it already.
    pub(crate) async fn alone(self, admin: &Admin) -> Result<(Bytes, Held), Refusal> {
        let held = match self.held {
            Some(held) => held,
            None => admin.memory.take(PAYLOAD_BYTES_MAX).await.map_err(Refusal::Body)?,
        };
        Ok((self.bytes, held))
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        read.map(|axum::extract::Path(value)| Self(value)).map_err(bad_path)
    }
}

fn bad_path(rejection: PathRejection) -> Refusal {
    if let PathRejection::FailedToDeserializePathParams(error) = &rejection
        && let ErrorKind::InvalidUtf8InPathParam { key } = error.kind()
    {
        let reason = "is not UTF-8 after percent-decoding; encode it as UTF-8";
        return Refusal::BadRequest(format!("the {key} in the path {reason}"));
    }
    let reason = rejection.body_text();
    Refusal::BadRequest(format!("the path is not valid: {reason}; /openapi lists all paths"))
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let read = axum::extract::Query::try_from_uri(&parts.uri);
        read.map(|axum::extract::Query(value)| Self(value)).map_err(|error| bad_query(&error))
    }
}

/// If the error concerns a single parameter, its message starts with the parameter's name.
fn bad_query(rejection: &QueryRejection) -> Refusal {
    let cause = rejection.source().map_or_else(|| rejection.body_text(), ToString::to_string);
    Refusal::BadRequest(match cause.split_once(": ") {
        Some((name, reason)) => format!("'{name}' in the query: {reason}"),
        None => format!("the query is not valid: {cause}"),
    })
}

impl<T: DeserializeOwned> FromRequest<Admin> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, admin: &Admin) -> Result<Self, Refusal> {
        check_type(request.headers())?;
        let Payload { bytes, .. } = read(admin, request, JSON_BYTES_MAX).await?;
        object(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<Admin> for LargeJson<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, admin: &Admin) -> Result<Self, Refusal> {
        check_type(request.headers())?;
        let Payload { bytes, held } = read(admin, request, PAYLOAD_BYTES_MAX).await?;
        Ok(Self { value: object(&bytes)?, held })
    }
}

fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    // Serde would accept an array in place of an object, as its fields in source order.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(Refusal::Unprocessable("the body is a list, expected an object".to_owned()));
    }
    from_json(body)
}

fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut reader);
    let error = match read {
        Ok(value) => {
            reader.end().map_err(|error| not_json(&error))?;
            return Ok(value);
        }
        Err(error) => error,
    };
    match error.inner().classify() {
        Category::Data => {
            let (path, reason) = (error.path().to_string(), error.inner());
            // The path of the root is a dot.
            let field = if path == "." { "the body".to_owned() } else { format!("'{path}'") };
            Err(Refusal::Unprocessable(format!("{field}: {reason}")))
        }
        Category::Syntax | Category::Eof | Category::Io => Err(not_json(error.inner())),
    }
}

fn not_json(error: &serde_json::Error) -> Refusal {
    Refusal::BadRequest(format!("the body is not JSON: {error}"))
}

fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(content_type) = headers.get(header::CONTENT_TYPE) else {
        return Err(Refusal::MediaType("no content type".to_owned()));
    };
    let content_type = text::shown(&String::from_utf8_lossy(content_type.as_bytes()));
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json =
        essence == JSON || (essence.starts_with("application/") && essence.ends_with("+json"));
    let refused = || Refusal::MediaType(format!("the content type '{content_type}'"));
    if is_json { Ok(()) } else { Err(refused()) }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl FromRequest<Admin> for Payload {
    type Rejection = Refusal;

    async fn from_request(request: Request, admin: &Admin) -> Result<Self, Refusal> {
        read(admin, request, PAYLOAD_BYTES_MAX).await
    }
}

async fn read(admin: &Admin, request: Request, bytes_max: usize) -> Result<Payload, Refusal> {
    let body = request.into_body().map_err(axum::Error::into_inner);
    let mut memory = WaitReserve { memory: &admin.memory, bytes_max, held: None };
    let read = runtime_http::body::read(body, bytes_max, &mut memory).await;
    Ok(Payload { bytes: read.map_err(Refusal::Body)?, held: memory.held })
}

/// Bodies up to this size need no reservation. Operators have few connections, and most of their
/// requests must not wait behind a large, slow payload.
const UNCOUNTED_BYTES_MAX: usize = 64 << 10;

/// Memory that is waited for. A body that needs memory reserves all that it can need at once, so no
/// body waits while holding some.
struct WaitReserve<'a> {
    memory: &'a BodyMemory,
    bytes_max: usize,
    held: Option<Held>,
}

impl Memory for WaitReserve<'_> {
    async fn reach(&mut self, bytes: usize, most: usize) -> Result<usize, BodyError> {
        if bytes > UNCOUNTED_BYTES_MAX && self.held.is_none() {
            self.held = Some(self.memory.take(self.bytes_max).await?);
        }
        Ok(if self.held.is_some() { most } else { bytes })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(expecting = "an object")]
    struct Body {
        #[expect(dead_code, reason = "only what is refused is looked at")]
        names: std::collections::BTreeMap<String, String>,
    }

    #[test]
    fn what_is_wrong_is_named_by_the_field_and_never_by_a_type_of_ours() {
        for (body, says) in [
            (r#"{"names":{"x-a":1}}"#, "'names.x-a': invalid type: integer `1`, expected a string"),
            (r#"{"names":[1]}"#, "'names': invalid type: sequence, expected a map"),
            ("{}", "the body: missing field `names`"),
            ("7", "the body: invalid type: integer `7`, expected an object"),
            (r#"{"names":"#, "the body is not JSON: EOF while parsing a value"),
            ("{\"names\":{}} x", "the body is not JSON: trailing characters"),
        ] {
            let refused = from_json::<Body>(body.as_bytes()).unwrap_err().to_string();
            assert!(refused.starts_with(says), "{body}: {refused}");
            assert!(!refused.contains("Asked") && !refused.contains("::"), "{refused}");
        }
    }

    #[test]
    fn json_is_what_calls_itself_json() {
        let checked = |value: &str| {
            let value = value.parse().unwrap();
            check_type(&HeaderMap::from_iter([(header::CONTENT_TYPE, value)]))
        };
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/x+json"] {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in ["text/plain", "application/jsonx", "text/x+json", ""] {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }
}
