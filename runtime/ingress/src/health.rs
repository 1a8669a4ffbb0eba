//! Health: whether the node is alive, and which services can be called.

use http::{Response, StatusCode};
use serde::Serialize;

use crate::{Ingress, body::Body, response};

#[derive(Serialize)]
struct Health {
    services: Vec<String>,
}

/// Responds with 503 if a partition's thread is gone or stuck.
pub(crate) async fn health(ingress: &Ingress) -> Response<Body> {
    let is_live = ingress.partitions.health().await.iter().all(Option::is_some);
    let status = if is_live { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let registry = ingress.registry.snapshot();
    let names = registry.services().into_iter().map(|service| service.definition().name.clone());
    response::json(status, &Health { services: names.collect() })
}
