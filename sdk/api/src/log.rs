//! Logs that say nothing twice.

use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

use crate::attempt::is_replaying;

/// Leaves out what handlers log while they do again what their journal has: it was logged before. Give
/// it to the layer that writes the lines:
///
/// ```
/// use tracing_subscriber::prelude::*;
/// let lines = tracing_subscriber::fmt::layer().with_filter(abide_sdk::OncePerStep);
/// let _subscriber = tracing_subscriber::registry().with(lines);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct OncePerStep;

impl<S: Subscriber> Filter<S> for OncePerStep {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        // Spans stay: what comes after the replay is within them.
        metadata.is_span() || !is_replaying()
    }

    fn callsite_enabled(
        &self,
        metadata: &'static Metadata<'static>,
    ) -> tracing::subscriber::Interest {
        if metadata.is_span() {
            tracing::subscriber::Interest::always()
        } else {
            tracing::subscriber::Interest::sometimes()
        }
    }
}
