//! Human-readable payloads: the endpoint that wrote a payload converts it to and from text. Tools
//! that show journals use this. The formats are up to the SDK.

use axum::extract::State;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::DeploymentId;
use runtime_core::model::deployment::Deployment;
use runtime_partition::budget::Held;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    Admin,
    deployments::{parse, unknown},
    discovery::EndpointProbe,
    error::{ErrorBody, Refusal, Thing},
    extract::{Path, Payload, Query},
};

/// Selects the deployment that converts.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Convert {
    /// The deployment that wrote the payload. The latest of the service when absent.
    pub deployment: Option<String>,
}

/// Converts a payload of an SDK to its human-readable form.
#[utoipa::path(
    post, path = "/internal/services/{service}/serdes/decode/{serde}", params(Convert),
    responses(
        (status = 200), (status = 404, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 500, body = ErrorBody, description = "the endpoint can't convert it, or can't be reached"),
    )
)]
pub async fn decode(
    State(admin): State<Admin>,
    Path((service, serde)): Path<(String, String)>,
    Query(from): Query<Convert>,
    payload: Payload,
) -> Result<Bytes, Refusal> {
    convert(&admin, &service, from, "decode", &serde, payload).await
}

/// Converts a human-readable payload to the form of its SDK.
#[utoipa::path(
    post, path = "/internal/services/{service}/serdes/encode/{serde}", params(Convert),
    responses(
        (status = 200), (status = 404, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 500, body = ErrorBody, description = "the endpoint can't convert it, or can't be reached"),
    )
)]
pub async fn encode(
    State(admin): State<Admin>,
    Path((service, serde)): Path<(String, String)>,
    Query(from): Query<Convert>,
    payload: Payload,
) -> Result<Bytes, Refusal> {
    convert(&admin, &service, from, "encode", &serde, payload).await
}

async fn convert(
    admin: &Admin,
    service: &str,
    Convert { deployment }: Convert,
    operation: &str,
    serde: &str,
    payload: Payload,
) -> Result<Bytes, Refusal> {
    let registry = admin.registry.snapshot();
    let no_service = || Refusal::NotFound { what: Thing::Service, name: service.to_owned() };
    let stored = match &deployment {
        None => registry.latest_deployment(service).ok_or_else(no_service)?,
        Some(id) => {
            let known: DeploymentId = parse(id)?;
            registry.deployment(known).ok_or_else(|| unknown(id.clone()))?
        }
    };
    let deployment: &Deployment = &stored.deployment;
    if !deployment.services.iter().any(|offered| offered.name == service) {
        return Err(no_service());
    }
    let asked = EndpointProbe {
        uri: &deployment.uri,
        http1: deployment.http1,
        headers: &deployment.headers,
    };
    let path = format!("/serdes/{service}/{operation}/{}", utf8_percent_encode(serde, ESCAPED));
    let (payload, held) = payload.alone(admin).await?;
    let answer = admin.discovery.convert(asked, path, payload).await?;
    Ok(Bytes::from_owner(Kept { answer, _held: held }))
}

/// A response that holds its memory until the last byte is written.
struct Kept {
    answer: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.answer
    }
}

/// The characters to escape in a name within a path, which axum has decoded. Slashes are part of
/// the name.
const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
