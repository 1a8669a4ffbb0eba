//! How large a registration may be. An endpoint is the user's own, but every node keeps what it offers
//! in memory, sends it with each listing, and writes it in one record.

use protocol::discovery::Manifest;

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
    let actual = pairs.iter().map(|(key, value)| key.len() + value.len()).sum();
    if actual > max { Err(LimitError::Pairs { field, actual, max }) } else { Ok(()) }
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
