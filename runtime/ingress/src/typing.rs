//! How a result is typed: as the revision says that made it. The newest may say something else by now,
//! or have no such handler any more.

use protocol::{InvocationId, Target};
use runtime_core::{event::Pin, tables::deployment::OutputRule};
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

/// What the deployment says that it ran on. The newest revision is asked where nothing is known of
/// that: it never ran, its row has gone with its retention, or the deployment was removed.
pub(crate) fn by(ingress: &Ingress, pin: Option<Pin>, target: &Target) -> OutputRule {
    let registry = ingress.registry.snapshot();
    let ran_on = pin.and_then(|pin| registry.deployment(pin.deployment));
    let newest = || registry.latest_deployment(&target.service);
    let output = ran_on.or_else(newest).and_then(|stored| {
        let (_, handler) = stored.deployment.handler(&target.service, &target.handler)?;
        Some(handler.output.clone())
    });
    let untyped =
        || OutputRule { content_type: None, set_content_type_if_empty: false, json_schema: None };
    output.unwrap_or_else(untyped)
}
