//! A filter that removes log lines repeated by replays.

use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

use crate::attempt::is_replaying;

/// Drops what handlers log while they replay their journal, since it was logged before. Attach it
/// to the layer that writes the log lines:
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
        // Spans are kept, because events after the replay belong to them.
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
