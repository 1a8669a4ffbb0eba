//! Reads what a chain asks for: one subject at a time, from the partition that knows it.

use runtime_views::why::{AttemptState, Chain, Facts, Of, Subject, Surroundings, Why};

use crate::{Admin, error::Refusal};

/// How often a subject is read again because its attempt has ended in between.
const READS_MAX: usize = 3;

/// What the words of a chain refer to.
pub(super) fn surroundings(admin: &Admin) -> Surroundings {
    Surroundings { registry: admin.registry.snapshot(), ingress_url: admin.ingress_url.clone() }
}

/// Follows a chain from a subject to its causes.
pub(super) async fn follow(
    admin: &Admin,
    around: &Surroundings,
    subject: Subject,
    links_max: usize,
) -> Result<Why, Refusal> {
    let mut chain = Chain::about(subject, around.clone(), links_max);
    while let Some(subject) = chain.next().cloned() {
        let (facts, attempt) = read(admin, subject).await?;
        chain.learn(&facts, attempt);
    }
    Ok(chain.ended())
}

/// What is known of a subject, and of its attempt if it has one.
async fn read(admin: &Admin, subject: Subject) -> Result<(Facts, Option<AttemptState>), Refusal> {
    let partition = admin.partitions.owner(subject.partition_key());
    let of = Of { subject, derivation: admin.derivation };
    let mut facts = admin.partitions.read(partition, of.clone()).await?;
    for _ in 0..READS_MAX {
        let Some(attempt) = facts.attempt() else { return Ok((facts, None)) };
        let state = admin.attempts.state(partition, attempt);
        if matches!(state, AttemptState::UnderWay { .. }) {
            return Ok((facts, Some(state)));
        }
        // It may have ended since its rows were read. If it is still running in rows that are read
        // now, after all that an attempt had proposed by then, it had not been started.
        let again = admin.partitions.read(partition, of.clone()).await?;
        if again.attempt() == Some(attempt) {
            return Ok((again, Some(confirmed(state))));
        }
        facts = again;
    }
    Ok((facts, None))
}

/// A state that is known to have been so while the rows called the attempt running.
pub(super) fn confirmed(state: AttemptState) -> AttemptState {
    match state {
        AttemptState::NotStarted { lack, is_certain: _ } => {
            AttemptState::NotStarted { lack, is_certain: true }
        }
        AttemptState::UnderWay { .. } => state,
    }
}
