//! URL to request. Pure: the caller supplies whether a service has keys.

use http::Method;
use percent_encoding::percent_decode_str;
use protocol::surface::path;

/// What a path requests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Route {
    /// Run a handler and respond with its result.
    Call(Address),
    /// Start a handler and respond at once.
    Send(Address),
    /// Wait for the result of an invocation.
    Attach(Named),
    /// Read the result of an invocation without waiting.
    Output(Named),
    /// Wait for the result of the invocation that the body names.
    AttachBody,
    /// Read the result of the invocation that the body names, without waiting.
    OutputBody,
    /// Return the id of the invocation that the body names.
    Lookup,
    /// Complete an awakeable.
    Awakeable { id: String, resolve: bool },
    /// List the services that can be called.
    Health,
}

impl Route {
    /// The methods that the path allows. GET is limited to what changes nothing, because programs
    /// follow links before a person does. Handlers are the exception: the real server also calls
    /// them with GET.
    pub fn methods(&self) -> &'static [Method] {
        match self {
            Self::Call(_) | Self::Send(_) => &[Method::GET, Method::POST],
            Self::Attach(_) | Self::Output(_) | Self::Health => &[Method::GET, Method::HEAD],
            Self::AttachBody | Self::OutputBody | Self::Lookup | Self::Awakeable { .. } => {
                &[Method::POST]
            }
        }
    }
}

/// A handler, as a path names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name of the service.
    pub service: String,
    /// Its key. Empty for a plain service.
    pub key: String,
    /// Name of the handler.
    pub handler: String,
}

/// An invocation, as a path names it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Named {
    /// By its textual id.
    Id(String),
    /// By the idempotency key that it was called with.
    Idempotent { address: Address, idempotency_key: String },
    /// By the workflow that it is the run of.
    Workflow { name: String, key: String },
}

/// Why a path was rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It has too few or too many segments, or the wrong ones.
    #[error("bad path '{path}', expected {expected}")]
    Shape {
        /// The path as requested.
        path: String,
        /// The shape that would have been valid.
        expected: &'static str,
    },
    /// It is a path of the admin API.
    #[error("'{0}' is a path of the admin API, which has an address of its own")]
    OfAdmin(String),
    /// No deployment offers the service.
    #[error("service '{0}' not found; register the deployment that offers it first")]
    UnknownService(String),
    /// The path has no known verb.
    #[error("not found")]
    NotFound,
    /// A key is not UTF-8.
    #[error("the key '{0}' is not valid UTF-8 after percent-decoding")]
    KeyNotText(String),
    /// Scopes depend on flow control, which is not supported yet.
    #[error("scoped invocations are not supported by this version; remove /scope/{{scope}}")]
    Scope,
}

/// The first segments of admin API paths.
const OF_ADMIN: [&str; 7] =
    ["deployments", "services", "invocations", "subscriptions", "health", "version", "query"];

/// The largest number of segments that a path can have.
const SEGMENTS_MAX: usize = 7;

/// Parses a path. `is_keyed` returns whether a service has keys, or `None` if no deployment offers
/// it.
///
/// # Errors
/// Returns an error if the ingress has no such path, with the shape that would have been valid.
pub fn parse(path: &str, is_keyed: impl Fn(&str) -> Option<bool>) -> Result<Route, PathError> {
    // Extra leading slashes and one trailing slash are ignored. An empty segment in between is an
    // empty key.
    let trimmed = path.trim_start_matches('/');
    let trimmed = trimmed.strip_suffix('/').unwrap_or(trimmed);
    let segments: Vec<&str> = trimmed.split('/').collect();
    let shape = |expected| PathError::Shape { path: path.to_owned(), expected };
    let is_of_admin = segments.first().is_some_and(|first| OF_ADMIN.contains(first));
    if is_of_admin && segments.first().is_some_and(|first| is_keyed(first).is_none()) {
        return Err(PathError::OfAdmin(path.to_owned()));
    }
    if segments.len() < 2 || segments.len() > SEGMENTS_MAX {
        return Err(shape("/{service}/{handler} or /{service}/{key}/{handler}"));
    }
    let reader = Reader { path, is_keyed: &is_keyed };
    match segments.as_slice() {
        [path::RESTATE, rest @ ..] => reader.reserved(rest),
        ["openapi", ..] => Err(PathError::NotFound),
        _ => reader.legacy(&segments),
    }
}

struct Reader<'a> {
    path: &'a str,
    is_keyed: &'a dyn Fn(&str) -> Option<bool>,
}

impl Reader<'_> {
    fn reserved(&self, rest: &[&str]) -> Result<Route, PathError> {
        match rest {
            ["health"] => Ok(Route::Health),
            [path::CALL, address @ ..] => Ok(Route::Call(self.address(address)?)),
            [path::SEND, address @ ..] => Ok(Route::Send(self.address(address)?)),
            [path::SCOPE, ..] => Err(PathError::Scope),
            [path::ATTACH] => Ok(Route::AttachBody),
            [path::OUTPUT] => Ok(Route::OutputBody),
            ["lookup"] => Ok(Route::Lookup),
            [path::ATTACH, id] => Ok(Route::Attach(Named::Id(self.text(id)?))),
            [path::OUTPUT, id] => Ok(Route::Output(Named::Id(self.text(id)?))),
            [path::INVOCATION, id, verb] => self.verb(verb, Named::Id(self.text(id)?)),
            [path::INVOCATION, address @ .., key, verb] => {
                let address = self.address(address)?;
                let idempotency_key = self.text(key)?;
                self.verb(verb, Named::Idempotent { address, idempotency_key })
            }
            [path::WORKFLOW, name, key, verb] => {
                let (name, key) = (self.text(name)?, self.text(key)?);
                self.verb(verb, Named::Workflow { name, key })
            }
            [path::AWAKEABLES | "a", id, verb @ (path::RESOLVE | path::REJECT)] => {
                Ok(Route::Awakeable { id: self.text(id)?, resolve: *verb == path::RESOLVE })
            }
            _ => Err(PathError::NotFound),
        }
    }

    fn verb(&self, verb: &str, named: Named) -> Result<Route, PathError> {
        match verb {
            path::ATTACH => Ok(Route::Attach(named)),
            path::OUTPUT => Ok(Route::Output(named)),
            _ => Err(PathError::NotFound),
        }
    }

    fn legacy(&self, segments: &[&str]) -> Result<Route, PathError> {
        let is_keyed = self.service(segments)?.1;
        let handler_at = if is_keyed { 2 } else { 1 };
        match segments.get(handler_at + 1..) {
            Some([]) => Ok(Route::Call(self.address(segments)?)),
            Some([path::SEND]) => Ok(Route::Send(self.address(&segments[..=handler_at])?)),
            Some(_) | None => Err(self.address_shape(is_keyed)),
        }
    }

    fn address(&self, segments: &[&str]) -> Result<Address, PathError> {
        let (service, is_keyed) = self.service(segments)?;
        match (is_keyed, segments) {
            (true, [_, key, handler]) => {
                Ok(Address { service, key: self.text(key)?, handler: self.text(handler)? })
            }
            (false, [_, handler]) => {
                Ok(Address { service, key: String::new(), handler: self.text(handler)? })
            }
            _ => Err(self.address_shape(is_keyed)),
        }
    }

    fn service(&self, segments: &[&str]) -> Result<(String, bool), PathError> {
        let service = self.text(segments.first().copied().unwrap_or_default())?;
        let is_keyed = (self.is_keyed)(&service);
        is_keyed
            .map(|is_keyed| (service.clone(), is_keyed))
            .ok_or(PathError::UnknownService(service))
    }

    fn address_shape(&self, is_keyed: bool) -> PathError {
        let expected = if is_keyed {
            "{service}/{key}/{handler}, or {service}/{key}/{handler}/send: the service has keys"
        } else {
            "{service}/{handler}, or {service}/{handler}/send: the service has no keys"
        };
        PathError::Shape { path: self.path.to_owned(), expected }
    }

    fn text(&self, segment: &str) -> Result<String, PathError> {
        percent_decode_str(segment)
            .decode_utf8()
            .map(|text| text.into_owned())
            .map_err(|_| PathError::KeyNotText(segment.to_owned()))
    }
}

#[cfg(test)]
mod tests;
