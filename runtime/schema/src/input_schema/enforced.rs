//! Which schemas are enforced, of those that are registered. Each is compiled with the first input that
//! it checks, by the thread that checks it: the threads that all requests wait for only find the
//! texts.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use protocol::discovery::{INPUT_VALIDATION, STRICT};
use runtime_core::{
    model::deployment::{HandlerDefinition, ServiceDefinition},
    registry::RegistrySnapshot,
};

use super::{InputSchema, Mismatch};
use crate::content_type;

/// The schema of a handler's input, if its endpoint asks to have it enforced: the handler's word
/// counts before the service's. An input that is never JSON has none.
pub(crate) fn text_of<'a>(
    service: &ServiceDefinition,
    handler: &'a HandlerDefinition,
) -> Option<&'a str> {
    fn setting(metadata: &[(String, String)]) -> Option<&str> {
        let setting = metadata.iter().find(|(name, _)| name == INPUT_VALIDATION);
        setting.map(|(_, value)| value.as_str())
    }
    let setting = setting(&handler.metadata).or_else(|| setting(&service.metadata));
    let may_be_json = handler.input.content_type.as_deref().is_some_and(content_type::may_be_json);
    let schema = handler.input.json_schema.as_deref();
    schema.filter(|_| setting == Some(STRICT) && may_be_json)
}

/// A schema that is enforced, compiled or not yet.
#[derive(Debug)]
pub struct Enforced {
    text: String,
    /// `None` within if it can't be: it was registered by a version with other bounds.
    compiled: OnceLock<Option<InputSchema>>,
}

impl Enforced {
    /// A schema that has not been compiled yet.
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), compiled: OnceLock::new() }
    }

    /// Checks an input if that is a matter of a fraction of a millisecond, and the schema has been
    /// compiled.
    pub fn check_quickly(&self, input: &[u8]) -> Option<Result<(), Mismatch>> {
        self.compiled.get()?.as_ref().map_or(Some(Ok(())), |schema| schema.check_quickly(input))
    }

    /// Checks an input, which may take some hundredths of a second, and some tenths for the first one,
    /// with which the schema is compiled. One that takes longer passes.
    ///
    /// # Errors
    /// Returns the first thing that is wrong with it.
    pub fn check(&self, input: &[u8]) -> Result<(), Mismatch> {
        let compiled = self.compiled.get_or_init(|| InputSchema::compile(&self.text).ok());
        compiled.as_ref().map_or(Ok(()), |schema| schema.check(input))
    }
}

/// The schemas that are enforced of the latest revisions, by service and handler.
#[derive(Debug, Default)]
pub(crate) struct InputSchemas(BTreeMap<String, BTreeMap<String, Arc<Enforced>>>);

impl InputSchemas {
    /// The schemas of a registry. Those that an earlier one had are not compiled again.
    pub(crate) fn of(registry: &RegistrySnapshot, earlier: &Self) -> Self {
        let schema = |service: &str, handler: &HandlerDefinition, text: &str| {
            let known = earlier.get(service, &handler.name).filter(|known| known.text == text);
            let schema = known.cloned().unwrap_or_else(|| Arc::new(Enforced::new(text)));
            (handler.name.clone(), schema)
        };
        let services = registry.services().into_iter().filter_map(|service| {
            let service = service.definition();
            let schemas = service.handlers.iter().filter_map(|handler| {
                Some(schema(&service.name, handler, text_of(service, handler)?))
            });
            let schemas: BTreeMap<_, _> = schemas.collect();
            (!schemas.is_empty()).then(|| (service.name.clone(), schemas))
        });
        Self(services.collect())
    }

    pub(crate) fn get(&self, service: &str, handler: &str) -> Option<&Arc<Enforced>> {
        self.0.get(service)?.get(handler)
    }
}
