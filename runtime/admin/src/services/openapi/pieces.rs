//! The document as pieces of text: joined, they are one JSON object.

use std::sync::Arc;

use runtime_core::{
    model::deployment::HandlerDefinition,
    registry::{RegistrySnapshot, Service},
};
use serde_json::{Map, Value, json};

use super::{
    operations::{of_handler, results_by_id},
    parts::{own_responses, own_schemas},
    schemas,
};

/// The pieces of the document of a service. They hold the registry as it was, of which nothing is
/// copied.
#[derive(Debug)]
pub(super) struct Pieces {
    registry: Arc<RegistrySnapshot>,
    service: String,
    ingress_url: String,
    next: Part,
}

/// The parts of a document. A handler is counted by its place in the manifest.
#[derive(Debug, Clone, Copy)]
enum Part {
    Head,
    Paths { handler: usize },
    Schemas { handler: usize },
    End,
}

impl Pieces {
    /// The document of a service in this registry, whose clients see the ingress at this address.
    pub(super) fn of(registry: Arc<RegistrySnapshot>, service: String, ingress_url: &str) -> Self {
        let ingress_url = ingress_url.trim_end_matches('/').to_owned();
        Self { registry, service, ingress_url, next: Part::Head }
    }
}

impl Iterator for Pieces {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let service = self.registry.service(&self.service)?;
        let handlers = &service.definition().handlers;
        let of_public = |handler: &HandlerDefinition, members: &dyn Fn(&_) -> Map<_, _>| {
            let is_public = service.handler(&handler.name).is_some_and(|known| known.is_public);
            if is_public { more(&members(handler)) } else { String::new() }
        };
        let (piece, next) = match self.next {
            Part::Head => (head(service, &self.ingress_url), Part::Paths { handler: 0 }),
            Part::Paths { handler: at } => match handlers.get(at) {
                Some(handler) => {
                    let paths = of_public(handler, &|handler| of_handler(service, handler));
                    (paths, Part::Paths { handler: at + 1 })
                }
                None => (between(), Part::Schemas { handler: 0 }),
            },
            Part::Schemas { handler: at } => match handlers.get(at) {
                Some(handler) => {
                    let schemas = of_public(handler, &schemas::components);
                    (schemas, Part::Schemas { handler: at + 1 })
                }
                None => ("}}}".to_owned(), Part::End),
            },
            Part::End => return None,
        };
        self.next = next;
        Some(piece)
    }
}

/// Everything up to the first paths, those of all services. The object is still open.
fn head(service: &Service, ingress_url: &str) -> String {
    let definition = service.definition();
    let mut info = json!({ "title": definition.name, "version": service.revision.to_string() });
    if let Some(documentation) = &definition.documentation {
        info["description"] = json!(documentation);
    }
    let servers = json!([{ "url": ingress_url }]);
    format!(
        "{{\"openapi\":\"3.1.0\",\"info\":{info},\"servers\":{servers},\"paths\":{{{}",
        members(&results_by_id())
    )
}

/// What is between the last path and the first schema of a handler.
fn between() -> String {
    let responses = own_responses();
    let schemas = members(&own_schemas());
    format!("}},\"components\":{{\"responses\":{responses},\"schemas\":{{{schemas}")
}

/// Further members of an object that has some.
fn more(of: &Map<String, Value>) -> String {
    if of.is_empty() { String::new() } else { format!(",{}", members(of)) }
}

/// The members of an object, without its braces.
fn members(of: &Map<String, Value>) -> String {
    let members = of.iter().map(|(name, value)| format!("{}:{value}", json!(name)));
    members.collect::<Vec<_>>().join(",")
}
