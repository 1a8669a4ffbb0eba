//! The content type of a result, as declared by the revision that produced it.

use protocol::{InvocationId, Target};
use runtime_core::model::{deployment::OutputRule, invocation::Pin};
use runtime_partition::Stopped;
use runtime_views::result::PinOf;

use crate::Ingress;

/// The output rule of an invocation, after looking up where it ran.
pub(crate) async fn of(
    ingress: &Ingress,
    id: InvocationId,
    target: &Target,
) -> Result<OutputRule, Stopped> {
    let to = ingress.partitions.owner(id.partition_key);
    let pin = ingress.partitions.read(to, PinOf(id)).await?;
    Ok(by(ingress, pin, target))
}

/// The output rule of the deployment that the invocation ran on, or the default if that is unknown.
pub(crate) fn by(ingress: &Ingress, pin: Option<Pin>, target: &Target) -> OutputRule {
    let registry = ingress.registry.snapshot();
    registry.output_rule(pin, target).cloned().unwrap_or_default()
}
