//! Size limits on registrations. Endpoints are the user's own, but every node keeps their manifests
//! in memory, includes them in each listing, and writes each one as a single record.

use protocol::discovery::Manifest;
use runtime_core::model::deployment::{Deployment, HandlerDefinition, ServiceDefinition};

/// Services per deployment: about ten times as many as the largest known application has. Each is
/// an entry in a snapshot that is rebuilt on every change of the registry.
pub const SERVICES_MAX: usize = 1000;
/// Handlers per deployment, across all of its services, for the same reason.
pub const HANDLERS_MAX: usize = 10_000;
/// Maximum length in bytes of a service's or handler's name. Names are part of every row, record
/// and URL of an invocation.
pub const NAME_BYTES_MAX: usize = 255;
/// Total size in bytes of `additional_headers`: most servers refuse a request head larger than 16
/// KiB, which also has to hold the runtime's own headers.
pub const HEADERS_BYTES_MAX: usize = 8 << 10;
/// Size in bytes of a deployment's `metadata`, which is included in every listing.
pub const METADATA_BYTES_MAX: usize = 64 << 10;

/// Size in bytes of the input schemas of a deployment that are enforced, compiled, as counted by
/// [`crate::input_schema`]: a thousand types of ordinary size. Compiling so many takes some seconds.
pub const SCHEMAS_BYTES_MAX: u64 = 256 << 20;

/// Deployments per node: a hundred times what is registered in practice, which is one for each
/// release that still has invocations.
pub const DEPLOYMENTS_MAX: usize = 10_000;
/// Total size in bytes of all deployments, as counted by [`bytes_of`]: roughly the size of the
/// largest listing, `GET /services` or `GET /deployments`, and of the registry in memory.
pub const REGISTRY_BYTES_MAX: usize = 128 << 20;
/// Overhead of a service in a listing or in memory, in addition to its strings.
const SERVICE_BYTES: usize = 1 << 10;
/// Overhead of a handler in a listing or in memory, in addition to its strings.
const HANDLER_BYTES: usize = 512;

/// The registry has no capacity left for another deployment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "with this deployment the registry would have {actual} {what}, more than the limit of {max}; remove \
     deployments that are no longer in use with DELETE /deployments/{{id}}?force=true"
)]
pub struct RegistryFull {
    /// What there would be too many of.
    pub what: &'static str,
    /// How many there would be.
    pub actual: usize,
    /// The limit.
    pub max: usize,
}

/// Something exceeds its limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// The deployment has too many services or handlers.
    #[error(
        "the endpoint offers {actual} {what}, more than the limit of {max} per deployment; \
         split them across several endpoints"
    )]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many there are.
        actual: usize,
        /// The limit.
        max: usize,
    },
    /// A name is too long.
    #[error(
        "the name of {what} '{start}…' has {actual} bytes, more than the \
         limit of {NAME_BYTES_MAX}; shorten it"
    )]
    Name {
        /// Whether it is a service or a handler.
        what: &'static str,
        /// The first few characters of the name.
        start: String,
        /// The length of the name in bytes.
        actual: usize,
    },
    /// The input schemas that are to be enforced are too large.
    #[error(
        "the JSON schemas of inputs that are to be enforced take about {0} bytes and more compiled, the \
         limit is {SCHEMAS_BYTES_MAX} per deployment; split the services across several endpoints, or \
         enforce fewer"
    )]
    Schemas(u64),
    /// Key/value pairs in the request are too large.
    #[error("'{field}' has {actual} bytes in total, more than the limit of {max}; send less")]
    Pairs {
        /// The request field they are in.
        field: &'static str,
        /// Their total size in bytes.
        actual: usize,
        /// The limit in bytes.
        max: usize,
    },
}

/// Checks an endpoint's manifest before anything else processes it or displays its names.
///
/// # Errors
/// Returns an error if it exceeds a limit on a single deployment.
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

/// Checks the size of key/value pairs in a request.
///
/// # Errors
/// Returns an error if they exceed `max` bytes in total.
pub fn check_pairs(
    field: &'static str,
    pairs: &[(String, String)],
    max: usize,
) -> Result<(), LimitError> {
    let actual = pair_bytes(pairs);
    if actual > max { Err(LimitError::Pairs { field, actual, max }) } else { Ok(()) }
}

/// Checks that the registry has capacity for a deployment next to the others.
///
/// # Errors
/// Returns an error if it does not.
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

/// Approximate size in bytes of a deployment in a listing or in memory: its strings, plus a fixed
/// overhead per service and handler.
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
    /// Enough to recognise the name.
    const SHOWN_CHARS: usize = 40;
    let start = name.chars().take(SHOWN_CHARS).collect();
    Err(LimitError::Name { what, start, actual: name.len() })
}
