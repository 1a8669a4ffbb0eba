//! Facts as links: what a subject waits for, in words, and what would help.
//!
//! Nothing is claimed here that the facts do not say: where only a part is known, the words say
//! which part.

mod advice;
mod placed;
mod results;
mod running;

use std::sync::Arc;

use protocol::{InvocationId, Target};
use runtime_core::{
    model::invocation::{Pin, StatusKind},
    registry::RegistrySnapshot,
    time::Timestamp,
};

use self::{
    advice::{abandon, cancel, kill, resume},
    placed::{Fault, Placed, placed},
};
use super::{
    Advice, AttemptState, Kind, Need, Subject,
    facts::{Count, Facts, Invocation, Key, State},
    link::TEXT_BYTES_MAX,
};
use crate::text;

/// What the words refer to.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Which deployment offers which services.
    pub registry: Arc<RegistrySnapshot>,
    /// The ingress address that clients see, with a trailing slash.
    pub ingress_url: String,
}

/// A link without its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) kind: Kind,
    pub(super) need: Need,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) detail: String,
    pub(super) waits_for: Option<Subject>,
    pub(super) advice: Vec<Advice>,
}

impl Draft {
    /// Something that is needed, and that nobody in particular has to bring.
    fn new(kind: Kind, detail: impl Into<String>, advice: Vec<Advice>) -> Self {
        Self {
            kind,
            need: Need::Required,
            since: None,
            until: None,
            detail: detail.into(),
            waits_for: None,
            advice,
        }
    }

    fn until(self, at: Timestamp) -> Self {
        Self { until: Some(at), ..self }
    }

    fn on(self, subject: Subject) -> Self {
        Self { waits_for: Some(subject), ..self }
    }
}

/// The head of a subject's links: what it is, and its status.
pub(super) fn head(facts: &Facts) -> (Option<String>, Option<StatusKind>) {
    match facts {
        Facts::Invocation(invocation) => (
            Some(text::cut(&invocation.target.to_string(), TEXT_BYTES_MAX)),
            Some(invocation.status),
        ),
        Facts::Absent | Facts::Key(_) => (None, None),
    }
}

/// Why an invocation has nowhere to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unplaced {
    /// The deployment that it is pinned to is not registered.
    Gone,
    /// No deployment offers its handler.
    NotOffered,
}

/// Whether an invocation has nowhere to run.
pub(super) fn unplaced(
    registry: &RegistrySnapshot,
    pin: Option<Pin>,
    target: &Target,
) -> Option<Unplaced> {
    placed(registry, pin, target).on.err().map(|fault| match fault {
        Fault::Gone(_) => Unplaced::Gone,
        Fault::NoService | Fault::NoHandler(_) | Fault::Protocol(..) => Unplaced::NotOffered,
    })
}

/// What a subject waits for: at least one thing.
pub(super) fn drafts(
    around: &Surroundings,
    subject: &Subject,
    facts: &Facts,
    attempt: Option<AttemptState>,
) -> Vec<Draft> {
    match (subject, facts) {
        (Subject::Invocation(id), Facts::Invocation(it)) => invocation(around, *id, it, attempt),
        (Subject::Key { service, key }, Facts::Key(it)) => of_key(service, key, it),
        (_, Facts::Absent | Facts::Invocation(_) | Facts::Key(_)) => {
            let detail = "is not known to its partition: the message that starts it, or the one that \
                          has its result, is on its way between partitions";
            vec![Draft::new(Kind::InTransit, detail, Vec::new())]
        }
    }
}

fn invocation(
    around: &Surroundings,
    id: InvocationId,
    it: &Invocation,
    attempt: Option<AttemptState>,
) -> Vec<Draft> {
    let placed = placed(&around.registry, it.pin, &it.target);
    let mut drafts = match &it.state {
        State::Completed { failure } => return vec![completed(failure.as_deref())],
        State::BackingOff { at } => return vec![running::backing_off(id, it, &placed).until(*at)],
        State::Running { open, is_pausing, .. } => {
            let own = running::running(id, it, &placed, attempt, *is_pausing);
            // With `Retry`, it is failing, and another attempt is under way.
            let is_connected =
                matches!(own.kind, Kind::Running | Kind::NoMemory | Kind::NoDisk | Kind::Retry);
            let mut drafts = vec![own];
            if is_connected {
                drafts.extend(results::of(around, id, &it.target, open));
            }
            return drafts;
        }
        State::Scheduled { at } => {
            let advice = vec![cancel(id, "it starts by itself; if it should not")];
            vec![Draft::new(Kind::Scheduled, "is scheduled to start later", advice).until(*at)]
        }
        State::Queued { holder, ahead } => vec![queued(it, *holder, *ahead)],
        State::Suspended(waits) => results::of(around, id, &it.target, waits),
        State::Paused { by } => vec![paused(id, it, by.as_ref(), &placed)],
    };
    if drafts.is_empty() {
        let detail = "waits for a result that cannot be named";
        drafts.push(Draft::new(Kind::Result, detail, Vec::new()));
    }
    // It would not get further even if all of that came.
    drafts.extend(placed.fault(id, &it.target));
    drafts
}

fn completed(failure: Option<&str>) -> Draft {
    let detail = match failure {
        None => "has ended, with a result".to_owned(),
        Some(failure) => format!("has ended, with a failure: {failure}"),
    };
    Draft::new(Kind::Completed, detail, Vec::new())
}

fn queued(it: &Invocation, holder: InvocationId, ahead: Count) -> Draft {
    let object = format!("{}/{}", it.target.service, text::cut(&it.target.key, TEXT_BYTES_MAX));
    let place = match ahead {
        Count { number: 0, is_cut: false } => "as the next in line".to_owned(),
        Count { number: 1, is_cut: false } => "behind one other in line".to_owned(),
        Count { number, is_cut: false } => format!("behind {number} others in line"),
        Count { number, is_cut: true } => format!("behind more than {number} others in line"),
    };
    let detail = format!("waits for the lock of {object}, {place}");
    Draft::new(Kind::Lock, detail, Vec::new()).on(Subject::Invocation(holder))
}

fn paused(
    id: InvocationId,
    it: &Invocation,
    by: Option<&(String, Option<String>)>,
    placed: &Placed<'_>,
) -> Draft {
    if let Some((name, reason)) = by {
        let reason = reason.as_ref().map_or_else(String::new, |it| format!(", who says: {it}"));
        let detail = format!("is paused by the operator {name}{reason}");
        return Draft::new(Kind::Paused, detail, vec![resume(id, "to let it go on")]);
    }
    let failure = it.failure.as_ref().map_or_else(String::new, |it| format!(": {it}"));
    let attempts = it.policy_attempts.saturating_add(1);
    let (why, first) = match placed.max_attempts(&it.target) {
        Some(max) if attempts >= max => (
            format!(
                "is paused, since its last attempt failed and its policy allows {max}{failure}"
            ),
            "once the handler, or what it needs, is mended",
        ),
        Some(_) | None => (
            format!("is paused by the failure of its last attempt{failure}"),
            "once its cause is mended",
        ),
    };
    let mut advice = vec![resume(id, first)];
    advice.extend(placed.has_newer(&it.target).then(|| advice::resume_on_latest(id)));
    advice.extend(abandon(id));
    Draft::new(Kind::PausedByFailure, why, advice)
}

fn of_key(service: &str, key: &str, it: &Key) -> Vec<Draft> {
    let Some(holder) = it.holder else {
        let detail = "is free: no invocation holds it, and none waits for it";
        return vec![Draft::new(Kind::Free, detail, Vec::new())];
    };
    let what = if it.is_run { "the run of the workflow is under way" } else { "its lock is held" };
    let queue = match it.queued {
        0 => String::new(),
        1 => ", and another one waits for it".to_owned(),
        queued => format!(", and {queued} others wait for it"),
    };
    let detail = format!("is taken: {what}{queue}");
    let mut drafts =
        vec![Draft::new(Kind::Held, detail, Vec::new()).on(Subject::Invocation(holder))];
    if it.edits.number > 0 {
        let edits = match it.edits {
            Count { number: 1, is_cut: false } => "an edit of its state that waits".to_owned(),
            Count { number, is_cut: false } => format!("{number} edits of its state that wait"),
            Count { number, is_cut: true } => {
                format!("at least {number} edits of its state that wait")
            }
        };
        let detail = format!("has {edits} until no invocation holds it");
        let service_and_key = format!("{service}/{}", text::cut(key, TEXT_BYTES_MAX));
        let advice = kill(
            holder,
            &format!("to free {service_and_key} for them at once, without compensations"),
        );
        let edit = Draft::new(Kind::Edit, detail, vec![advice]);
        drafts.push(Draft { since: it.first_edit_at, ..edit.on(Subject::Invocation(holder)) });
    }
    drafts
}
