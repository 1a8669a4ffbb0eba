//! Health: alive, and these services can be called.

use http::{Response, StatusCode};
use serde::Serialize;

use crate::{Ingress, body::Body, response};

#[derive(Serialize)]
struct Health {
    services: Vec<String>,
}

pub(crate) fn health(ingress: &Ingress) -> Response<Body> {
    let registry = ingress.registry.snapshot();
    let names = registry.services().into_iter().map(|service| service.definition().name.clone());
    response::json(StatusCode::OK, &Health { services: names.collect() })
}
