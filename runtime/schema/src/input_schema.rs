//! JSON schemas of inputs that the ingress enforces, for handlers whose endpoint asks for it.
//!
//! A schema is compiled when its deployment is registered, and once more for the registry's snapshot.
//! It has to be all that is needed: nothing is fetched, and references lead nowhere but into the schema
//! itself. Checking an input is bounded ([`effort`]): regular expressions take linear time, and an
//! input that would take too long is left to the SDK, which decodes it in any case.

mod effort;

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use boon::{Compiler, ErrorKind, SchemaIndex, Schemas, UrlLoader, ValidationError};
use protocol::discovery::{INPUT_VALIDATION, STRICT};
use runtime_core::{
    model::deployment::{HandlerDefinition, ServiceDefinition},
    registry::RegistrySnapshot,
};
use serde_json::Value;

use effort::Effort;

/// The largest schema that is enforced, in bytes: many times the largest that types yield in
/// practice. Compiling one takes up to some tenths of a second.
pub const SCHEMA_BYTES_MAX: usize = 256 << 10;
/// The largest input that is checked, in bytes. Parsed, it takes up to 32 times that in memory.
pub const INPUT_BYTES_MAX: usize = 1 << 20;
/// How many characters of a reason are shown.
const REASON_CHARS_MAX: usize = 500;
/// How many alternatives a reason explains.
const ALTERNATIVES_MAX: usize = 3;
/// The address of a schema while it is compiled.
const PLACE: &str = "https://schema.invalid/";

/// A schema cannot be enforced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// It exceeds [`SCHEMA_BYTES_MAX`].
    #[error("it has {0} bytes, more than the limit of {SCHEMA_BYTES_MAX}")]
    TooLarge(usize),
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// It refers to something outside of itself.
    #[error(
        "it refers to '{0}'; references may only lead into the schema itself, as in #/$defs/Item"
    )]
    Outside(String),
    /// It refers to a part of itself that it does not have.
    #[error("it refers to '{0}', which it does not have")]
    Missing(String),
    /// It uses a keyword that makes a reference depend on where it is evaluated.
    #[error("it uses '{0}', which is not supported")]
    Unsupported(&'static str),
    /// It refers to itself without going into the value.
    #[error("it refers to itself in a circle that no value ends")]
    Endless,
    /// It is not a valid schema.
    #[error("{0}")]
    Invalid(String),
}

/// An input does not match its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Where, as a JSON pointer; empty for the whole input.
    pub at: String,
    /// What was expected there.
    pub reason: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, reason } = self;
        if at.is_empty() { write!(f, "{reason}") } else { write!(f, "at '{at}': {reason}") }
    }
}

/// A compiled schema.
pub struct InputSchema {
    text: String,
    schemas: Schemas,
    root: SchemaIndex,
    effort: Effort,
}

impl fmt::Debug for InputSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InputSchema").field(&self.text).finish()
    }
}

impl InputSchema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// Returns an error if it is not valid, or cannot be enforced within bounds.
    pub fn compile(text: &str) -> Result<Self, SchemaError> {
        if text.len() > SCHEMA_BYTES_MAX {
            return Err(SchemaError::TooLarge(text.len()));
        }
        let schema: Value =
            serde_json::from_str(text).map_err(|error| SchemaError::NotJson(error.to_string()))?;
        let effort = Effort::of(&schema)?;
        let invalid = |error: boon::CompileError| {
            SchemaError::Invalid(cut(&format!("{error:#}").replace(PLACE, "")))
        };
        let mut compiler = Compiler::new();
        compiler.use_loader(Box::new(Nowhere));
        compiler.add_resource(PLACE, schema).map_err(invalid)?;
        let mut schemas = Schemas::new();
        let root = compiler.compile(PLACE, &mut schemas).map_err(invalid)?;
        Ok(Self { text: text.to_owned(), schemas, root, effort })
    }

    /// The schema as it was declared.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Checks an input. One that takes too long to check passes: the SDK decodes it in any case.
    ///
    /// # Errors
    /// Returns the first thing that is wrong with it.
    pub fn check(&self, input: &[u8]) -> Result<(), Mismatch> {
        if input.len() > INPUT_BYTES_MAX {
            return Ok(());
        }
        let value: Value = serde_json::from_slice(input).map_err(|error| Mismatch {
            at: String::new(),
            reason: format!("it is not JSON: {error}"),
        })?;
        if !self.effort.is_bearable(&value) {
            return Ok(());
        }
        self.schemas.validate(&value, self.root).map_err(|error| explained(&error))
    }
}

/// Loads nothing: what a schema needs is in it.
struct Nowhere;

impl UrlLoader for Nowhere {
    fn load(&self, _: &str) -> Result<Value, Box<dyn StdError>> {
        Err("nothing is fetched".into())
    }
}

/// The first thing that is wrong, as deep in the value as it is certain: where none of several
/// alternatives matches, any of them may have been meant.
fn explained(error: &ValidationError<'_, '_>) -> Mismatch {
    let mut first = error;
    loop {
        match (&first.kind, &first.causes[..]) {
            (ErrorKind::AnyOf | ErrorKind::OneOf(_), [_, _, ..]) => {
                let alternatives = first.causes.iter().take(ALTERNATIVES_MAX).map(explained);
                let alternatives: Vec<_> = alternatives.map(|it| it.reason).collect();
                let reason = cut(&format!("none of these: {}", alternatives.join("; or ")));
                return Mismatch { at: first.instance_location.to_string(), reason };
            }
            (_, [deeper, ..]) => first = deeper,
            (kind, []) => {
                let at = first.instance_location.to_string();
                return Mismatch { at, reason: cut(&kind.to_string()) };
            }
        }
    }
}

fn cut(reason: &str) -> String {
    reason.chars().take(REASON_CHARS_MAX).collect()
}

/// The schema of a handler's input, if its endpoint asks to have it enforced: the handler's word
/// counts before the service's.
pub fn enforced<'a>(
    service: &ServiceDefinition,
    handler: &'a HandlerDefinition,
) -> Option<&'a str> {
    fn setting(metadata: &[(String, String)]) -> Option<&str> {
        let setting = metadata.iter().find(|(name, _)| name == INPUT_VALIDATION);
        setting.map(|(_, value)| value.as_str())
    }
    let setting = setting(&handler.metadata).or_else(|| setting(&service.metadata));
    handler.input.json_schema.as_deref().filter(|_| setting == Some(STRICT))
}

/// The schemas that are enforced of the latest revisions, by service and handler.
#[derive(Debug, Default)]
pub(crate) struct InputSchemas(BTreeMap<String, BTreeMap<String, Arc<InputSchema>>>);

impl InputSchemas {
    /// The schemas of a registry. Those that an earlier one had are not compiled again.
    pub(crate) fn of(registry: &RegistrySnapshot, earlier: &Self) -> Self {
        let schema = |service: &str, handler: &HandlerDefinition, text: &str| {
            let known = earlier.get(service, &handler.name).filter(|known| known.text() == text);
            let compiled = || InputSchema::compile(text).ok().map(Arc::new);
            // One that does not compile was registered by a version that did not enforce it.
            known.cloned().or_else(compiled).map(|schema| (handler.name.clone(), schema))
        };
        let services = registry.services().into_iter().filter_map(|service| {
            let service = service.definition();
            let schemas = service
                .handlers
                .iter()
                .filter_map(|handler| schema(&service.name, handler, enforced(service, handler)?));
            let schemas: BTreeMap<_, _> = schemas.collect();
            (!schemas.is_empty()).then(|| (service.name.clone(), schemas))
        });
        Self(services.collect())
    }

    pub(crate) fn get(&self, service: &str, handler: &str) -> Option<&Arc<InputSchema>> {
        self.0.get(service)?.get(handler)
    }
}

#[cfg(test)]
mod tests;
