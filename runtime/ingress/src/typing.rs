//! How a result is typed: as the revision says that made it.

use protocol::{InvocationId, Target};
use runtime_core::model::{deployment::OutputRule, invocation::Pin};
use runtime_partition::Stopped;

use crate::Ingress;

/// Looks up where the invocation ran.
pub(crate) async fn of(
    ingress: &Ingress,
    id: InvocationId,
    target: &Target,
) -> Result<OutputRule, Stopped> {
    let to = ingress.partitions.owner(id.partition_key);
    let read = ingress.partitions.read(to, move |tables| {
        let lsn = tables.invocation_lsn(id)?;
        tables.invocation(lsn)?.pin
    });
    Ok(by(ingress, read.await?, target))
}

/// How it is typed where it ran; not at all if nothing is known of that.
pub(crate) fn by(ingress: &Ingress, pin: Option<Pin>, target: &Target) -> OutputRule {
    let registry = ingress.registry.snapshot();
    registry.output_rule(pin, target).cloned().unwrap_or_default()
}
