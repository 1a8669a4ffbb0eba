//! What belongs to one query, for its functions and steps to find. The engine hands them nothing but
//! the configuration, so that is where it is; but it is no setting: nobody can see or change it.

use std::any::Any;
use std::fmt::Debug;

use datafusion::{
    common::{
        Result,
        config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions},
        exec_err,
    },
    prelude::SessionConfig,
};

/// Something that a query has one of. Copies are the same thing.
pub(crate) trait OfQuery: Clone + Debug + Send + Sync + 'static {
    /// Tells it from other such things.
    const NAME: &'static str;

    /// Lets the functions and steps of a query find it.
    fn add(self, config: &mut SessionConfig) {
        config.options_mut().extensions.insert(Unseen(self));
    }

    /// That of the query with this configuration.
    fn find(config: &ConfigOptions) -> Option<&Self> {
        config.extensions.get::<Unseen<Self>>().map(|unseen| &unseen.0)
    }
}

#[derive(Debug, Clone)]
struct Unseen<T>(T);

impl<T: OfQuery> ExtensionOptions for Unseen<T> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        exec_err!("there is no setting {key}")
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

impl<T: OfQuery> ConfigExtension for Unseen<T> {
    const PREFIX: &'static str = T::NAME;
}
