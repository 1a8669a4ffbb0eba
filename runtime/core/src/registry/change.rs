//! An operator changes the registry: it is done or refused, and the audit keeps what is different.

use protocol::DeploymentId;

use super::{facts, latest};
use crate::{
    context::Context,
    effect::{Answer, Configured, Effect, Registered, Updated},
    kept::Kept,
    model::{
        deployment::StoredDeployment,
        ids::RequestId,
        operator::Operator,
        registry_change::{AuditedChange, ChangeOutcome, RegistryChange, RegistryVerb, Stranded},
    },
    tables::audit::AuditEntry,
};

pub(crate) fn requested(
    cx: &mut Context<'_, '_>,
    request: RequestId,
    operator: &Operator,
    change: &RegistryChange,
) {
    let before = cx.tables.deployments();
    let (answer, deployment) = apply(cx, change, &before);
    let outcome = outcome(&answer);
    let was = deployment.and_then(|id| before.iter().find(|stored| stored.deployment.id == id));
    let is = deployment.and_then(|id| cx.tables.deployment(id));
    let changes = facts::differences(was, is.as_ref());
    assert!(
        outcome == ChangeOutcome::Done || changes.is_empty(),
        "{:?}: a change of the registry that was refused has changed it",
        cx.lsn
    );
    let stranded =
        if let (RegistryChange::Remove { stranded, .. }, ChangeOutcome::Done) = (change, outcome) {
            left_behind(stranded)
        } else {
            Kept::default()
        };
    cx.tables.audit(AuditEntry::Change(Box::new(AuditedChange {
        at: cx.at,
        operator: operator.clone(),
        verb: change.verb(),
        deployment,
        outcome,
        changes: changes.entries,
        changes_omitted: changes.omitted,
        stranded: stranded.entries,
        stranded_omitted: stranded.omitted,
    })));
    cx.emit(Effect::Answer { request, answer });
}

/// Carries a change out, or refuses it; returns the answer, and the deployment that it is about.
fn apply(
    cx: &mut Context<'_, '_>,
    change: &RegistryChange,
    before: &[StoredDeployment],
) -> (Answer, Option<DeploymentId>) {
    match change {
        RegistryChange::Register { deployment, replace, allow_breaking } => {
            let registered = super::offer(cx, deployment, *replace, *allow_breaking);
            let about = match &registered {
                Registered::New(id) | Registered::Replaced(id) | Registered::Kept(id) => Some(*id),
                Registered::KindChanged { .. } => None,
            };
            (Answer::Registered(registered), about)
        }
        RegistryChange::Update { deployment, overwrite } => {
            let updated = super::update(cx, deployment, *overwrite);
            (Answer::Updated(updated), Some(deployment.id))
        }
        RegistryChange::Configure { service, changes } => {
            let about = latest(before, service).map(|latest| latest.stored.deployment.id);
            (Answer::Configured(super::configure(cx, service, changes)), about)
        }
        RegistryChange::Remove { deployment, .. } => {
            (Answer::Removed { existed: super::remove(cx, *deployment) }, Some(*deployment))
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "`apply` gives no other answers")]
fn outcome(answer: &Answer) -> ChangeOutcome {
    match answer {
        Answer::Registered(Registered::New(_) | Registered::Replaced(_))
        | Answer::Updated(Updated::Done)
        | Answer::Configured(Configured::Done)
        | Answer::Removed { existed: true } => ChangeOutcome::Done,
        Answer::Registered(Registered::Kept(_)) => ChangeOutcome::AlreadyRegistered,
        Answer::Registered(Registered::KindChanged { .. }) => ChangeOutcome::KindChanged,
        Answer::Updated(Updated::NotFound)
        | Answer::Configured(Configured::NotFound)
        | Answer::Removed { existed: false } => ChangeOutcome::NotFound,
        Answer::Updated(Updated::AddressTaken(_)) => ChangeOutcome::AddressTaken,
        Answer::Updated(Updated::Lost(_)) => ChangeOutcome::Lost,
        Answer::Configured(Configured::NotAWorkflow) => ChangeOutcome::NotAWorkflow,
        other => unreachable!("a change of the registry was answered with {other:?}"),
    }
}

fn left_behind(stranded: &[Stranded]) -> Kept<Stranded> {
    let mut kept = Kept::default();
    for stranded in stranded {
        kept.note(stranded.clone(), stranded.service.len());
    }
    kept
}

impl RegistryChange {
    fn verb(&self) -> RegistryVerb {
        match self {
            Self::Register { replace, allow_breaking, .. } => {
                RegistryVerb::Register { replace: *replace, allow_breaking: *allow_breaking }
            }
            Self::Update { overwrite, .. } => RegistryVerb::Update { overwrite: *overwrite },
            Self::Configure { service, .. } => RegistryVerb::Configure { service: service.clone() },
            Self::Remove { force, .. } => RegistryVerb::Remove { force: *force },
        }
    }
}
