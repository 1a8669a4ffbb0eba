//! How a result is typed: as the revision says that made it.

use protocol::{InvocationId, Target};
use runtime_core::model::{deployment::OutputRule, invocation::Pin};
use runtime_partition::Stopped;
use runtime_views::result::PinOf;

use crate::Ingress;

/// Looks up where the invocation ran.
pub(crate) async fn of(
    ingress: &Ingress,
    id: InvocationId,
    target: &Target,
) -> Result<OutputRule, Stopped> {
    let to = ingress.partitions.owner(id.partition_key);
    let pin = ingress.partitions.read(to, PinOf(id)).await?;
    Ok(by(ingress, pin, target))
}

/// How it is typed where it ran; not at all if nothing is known of that.
pub(crate) fn by(ingress: &Ingress, pin: Option<Pin>, target: &Target) -> OutputRule {
    let registry = ingress.registry.snapshot();
    registry.output_rule(pin, target).cloned().unwrap_or_default()
}
