//! How large a registration may be. An endpoint is the user's own, but every node keeps what it offers
//! in memory, sends it with each listing, and writes it in one record.

use protocol::discovery::Manifest;
use runtime_core::model::deployment::{Deployment, HandlerDefinition, ServiceDefinition};

/// Services of one deployment: some ten times what the largest known application has. Each is an entry
/// in a snapshot that is built anew for every change of the registry.
pub const SERVICES_MAX: usize = 1000;
/// Handlers of one deployment, in all of its services, for the same reason.
pub const HANDLERS_MAX: usize = 10_000;
/// Bytes of the name of a service or handler. Names are in every row, record and URL of an invocation.
pub const NAME_BYTES_MAX: usize = 255;
/// Bytes of all `additional_headers` together: most servers refuse a head of more than 16 KiB, and the
/// runtime's own headers come on top.
pub const HEADERS_BYTES_MAX: usize = 8 << 10;
/// Bytes of a deployment's `metadata`, which is listed with it each time.
pub const METADATA_BYTES_MAX: usize = 64 << 10;

/// Deployments of a node: a hundred times what is registered in practice, one for each release that
/// something still runs on.
pub const DEPLOYMENTS_MAX: usize = 10_000;
/// Bytes of all deployments together, as [`bytes_of`] counts them: about what the largest listing has,
/// `GET /services` or `GET /deployments`, and what the registry takes in memory.
pub const REGISTRY_BYTES_MAX: usize = 128 << 20;
/// What a service costs beside its texts, in a listing or in memory.
const SERVICE_BYTES: usize = 1 << 10;
/// What a handler costs beside its texts, in a listing or in memory.
const HANDLER_BYTES: usize = 512;

/// There is no room for another deployment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "with this deployment the registry has {actual} {what}, more than the {max} that it may have; remove \
     deployments that nothing runs on any more, by DELETE /deployments/{{id}}?force=true"
)]
pub struct RegistryFull {
    /// Of what there would be too much.
    pub what: &'static str,
    /// How much there would be.
    pub actual: usize,
    /// How much there may be.
    pub max: usize,
}

/// Something is larger than it may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Too many of something.
    #[error(
        "the endpoint offers {actual} {what}, more than the {max} that one deployment may have; \
         divide them among several endpoints"
    )]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        actual: usize,
        /// How many there may be.
        max: usize,
    },
    /// A name is too long.
    #[error(
        "the name of {what} '{start}…' has {actual} bytes, more than the {NAME_BYTES_MAX} that a \
         name may have; give it a shorter one"
    )]
    Name {
        /// A service or a handler.
        what: &'static str,
        /// How it begins.
        start: String,
        /// How long it is.
        actual: usize,
    },
    /// Key/value pairs of the request are too long.
    #[error("'{field}' has {actual} bytes in all, more than the {max} that it may have; send less")]
    Pairs {
        /// Which field.
        field: &'static str,
        /// How long all of it is.
        actual: usize,
        /// How long it may be.
        max: usize,
    },
}

/// Checks what an endpoint offers, before anything else looks at it or says its names.
///
/// # Errors
/// When it is more than one deployment may have.
pub fn check_manifest(manifest: &Manifest) -> Result<(), LimitError> {
    let services = &manifest.services;
    check_count("services", services.len(), SERVICES_MAX)?;
    let handlers = services.iter().map(|service| service.handlers.len()).sum();
    check_count("handlers", handlers, HANDLERS_MAX)?;
    for service in services {
        check_name("service", &service.name)?;
        for handler in &service.handlers {
            check_name("handler", &handler.name)?;
        }
    }
    Ok(())
}

/// Checks key/value pairs of a request.
///
/// # Errors
/// When they are longer than `max` bytes together.
pub fn check_pairs(
    field: &'static str,
    pairs: &[(String, String)],
    max: usize,
) -> Result<(), LimitError> {
    let actual = pair_bytes(pairs);
    if actual > max { Err(LimitError::Pairs { field, actual, max }) } else { Ok(()) }
}

/// Checks that there is room for a deployment beside the others.
///
/// # Errors
/// When there is none.
pub fn check_registry<'a>(
    others: impl Iterator<Item = &'a Deployment>,
    deployment: &Deployment,
) -> Result<(), RegistryFull> {
    let (mut count, mut bytes) = (1, bytes_of(deployment));
    for other in others {
        count += 1;
        bytes += bytes_of(other);
    }
    for (what, actual, max) in
        [("deployments", count, DEPLOYMENTS_MAX), ("bytes", bytes, REGISTRY_BYTES_MAX)]
    {
        if actual > max {
            return Err(RegistryFull { what, actual, max });
        }
    }
    Ok(())
}

/// What a deployment takes in a listing or in memory, in bytes: its texts, and something for each
/// service and handler.
pub fn bytes_of(deployment: &Deployment) -> usize {
    let Deployment { uri, headers, metadata, sdk, services, .. } = deployment;
    let services = services.iter().map(service_bytes).sum::<usize>();
    uri.len() + pair_bytes(headers) + pair_bytes(metadata) + text_bytes(sdk) + services
}

fn service_bytes(service: &ServiceDefinition) -> usize {
    let ServiceDefinition { name, handlers, documentation, metadata, .. } = service;
    let handlers = handlers.iter().map(handler_bytes).sum::<usize>();
    SERVICE_BYTES + name.len() + text_bytes(documentation) + pair_bytes(metadata) + handlers
}

fn handler_bytes(handler: &HandlerDefinition) -> usize {
    let HandlerDefinition { name, input, output, documentation, metadata, .. } = handler;
    let texts = [
        documentation,
        &input.content_type,
        &input.json_schema,
        &output.content_type,
        &output.json_schema,
    ];
    let texts = texts.into_iter().map(text_bytes).sum::<usize>();
    HANDLER_BYTES + name.len() + pair_bytes(metadata) + texts
}

fn text_bytes(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

fn pair_bytes(pairs: &[(String, String)]) -> usize {
    pairs.iter().map(|(key, value)| key.len() + value.len()).sum()
}

fn check_count(what: &'static str, actual: usize, max: usize) -> Result<(), LimitError> {
    if actual > max { Err(LimitError::TooMany { what, actual, max }) } else { Ok(()) }
}

fn check_name(what: &'static str, name: &str) -> Result<(), LimitError> {
    if name.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    /// Enough to recognise it.
    const SHOWN_CHARS: usize = 40;
    let start = name.chars().take(SHOWN_CHARS).collect();
    Err(LimitError::Name { what, start, actual: name.len() })
}
