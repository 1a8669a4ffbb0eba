//! Services: their latest revisions, as their endpoints offer them. [`configure`] changes their
//! settings, [`openapi`] describes how clients call them.

pub mod configure;
pub mod openapi;

use axum::extract::State;
use runtime_views::service::Service;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Admin,
    error::{Refusal, Thing},
    extract::{Json, Path},
    metadata::{HandlerMetadata, ServiceMetadata},
};

/// The response to listing services.
#[derive(Debug, Serialize, ToSchema)]
pub struct Services {
    /// Sorted by name.
    pub services: Vec<ServiceMetadata>,
}

/// The response to listing the handlers of a service.
#[derive(Debug, Serialize, ToSchema)]
pub struct Handlers {
    /// In the order in which the endpoint lists them.
    pub handlers: Vec<HandlerMetadata>,
}

/// Lists all services.
#[utoipa::path(get, path = "/services", responses((status = 200, body = Services)))]
pub async fn list(State(admin): State<Admin>) -> Json<Services> {
    let registry = admin.registry.snapshot();
    let services = registry.services().into_iter();
    let services = services.map(|known| Service::of(known, registry.defaults()).into());
    Json(Services { services: services.collect() })
}

/// Returns one service.
#[utoipa::path(
    get, path = "/services/{service}",
    responses((status = 200, body = ServiceMetadata), (status = 404, body = crate::error::ErrorBody))
)]
pub async fn get(
    State(admin): State<Admin>,
    Path(name): Path<String>,
) -> Result<Json<ServiceMetadata>, Refusal> {
    of(&admin, &name).map(Json)
}

/// Lists all handlers of a service.
#[utoipa::path(
    get, path = "/services/{service}/handlers",
    responses((status = 200, body = Handlers), (status = 404, body = crate::error::ErrorBody))
)]
pub async fn handlers(
    State(admin): State<Admin>,
    Path(name): Path<String>,
) -> Result<Json<Handlers>, Refusal> {
    let handlers = of(&admin, &name)?.handlers;
    Ok(Json(Handlers { handlers }))
}

/// Returns one handler.
#[utoipa::path(
    get, path = "/services/{service}/handlers/{handler}",
    responses((status = 200, body = HandlerMetadata), (status = 404, body = crate::error::ErrorBody))
)]
pub async fn handler(
    State(admin): State<Admin>,
    Path((name, handler)): Path<(String, String)>,
) -> Result<Json<HandlerMetadata>, Refusal> {
    let handlers = of(&admin, &name)?.handlers;
    let found = handlers.into_iter().find(|metadata| metadata.name == handler);
    let not_found =
        || Refusal::NotFound { what: Thing::Handler, name: format!("{name}/{handler}") };
    found.map(Json).ok_or_else(not_found)
}

fn of(admin: &Admin, name: &str) -> Result<ServiceMetadata, Refusal> {
    let registry = admin.registry.snapshot();
    let service = registry.service(name).ok_or_else(|| unknown(name))?;
    Ok(Service::of(service, registry.defaults()).into())
}

fn unknown(name: &str) -> Refusal {
    Refusal::NotFound { what: Thing::Service, name: name.to_owned() }
}
