//! The API described by itself.

use utoipa::OpenApi;

use crate::{deployments, error::ErrorBody, extract::Json, health, invocations, serdes, services};

#[derive(OpenApi)]
#[openapi(
    info(title = "Abide admin API", description = "Deployments, services and invocations."),
    paths(
        deployments::register,
        deployments::list,
        deployments::get,
        deployments::delete,
        services::list,
        services::get,
        services::handlers,
        services::handler,
        invocations::list,
        invocations::get,
        invocations::delete,
        invocations::cancel,
        invocations::kill,
        invocations::purge,
        serdes::decode,
        serdes::encode,
        health::health,
        health::ready,
        health::version,
    ),
    components(schemas(ErrorBody))
)]
struct Api;

/// The OpenAPI document.
pub async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(Api::openapi())
}
