//! What a handler has asked for and not got.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::{HandlerKind, InvocationId, Target};

use super::{
    Draft, Kind, Need, Subject, Surroundings,
    advice::{cancel, command, plain, resume, word},
};
use crate::why::waits::{Awaited, Wait, Waits};

/// What may stand in a segment of a path as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// How many handlers of a workflow are named.
const HANDLERS_MAX: usize = 4;

/// A draft for each thing that is shown, and one for the rest.
pub(super) fn of(
    around: &Surroundings,
    id: InvocationId,
    target: &Target,
    waits: &Waits,
) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = waits
        .shown
        .iter()
        .map(|Wait { what, need }| Draft { need: *need, ..one(around, id, target, what, *need) })
        .collect();
    if !waits.more.is_empty() || (waits.is_cut && !drafts.is_empty()) {
        let need = drafts.first().map_or(Need::Possible, |draft| draft.need);
        drafts.push(Draft { need, ..Draft::new(Kind::More, more(waits), Vec::new()) });
    }
    if drafts.is_empty() && waits.is_cut {
        let detail = "waits for more results than are looked at here";
        drafts.push(Draft::new(Kind::More, detail, Vec::new()));
    }
    drafts
}

fn one(
    around: &Surroundings,
    id: InvocationId,
    target: &Target,
    what: &Awaited,
    need: Need,
) -> Draft {
    let waits = match need {
        Need::Required => "waits for",
        Need::Alternative => "waits, among other things, for",
        Need::Possible => "has asked for, and may wait for,",
    };
    let quoted =
        |name: &Option<String>| name.as_ref().map_or_else(String::new, |name| format!(" '{name}'"));
    let ingress = &around.ingress_url;
    match what {
        Awaited::Call { target, callee } => {
            let callee_name = target.as_deref().unwrap_or("another handler");
            let detail = format!("{waits} the result of its call of {callee_name}");
            follow(Draft::new(Kind::Call, detail, Vec::new()), *callee)
        }
        Awaited::Attach { name, invocation } => {
            let name = name.as_deref().unwrap_or("another invocation");
            let detail = format!("{waits} the result of {name}, to which it has attached");
            follow(Draft::new(Kind::Attach, detail, Vec::new()), *invocation)
        }
        Awaited::Timer { name, at } => {
            let detail = format!("{waits} the end of its sleep{}", quoted(name));
            let advice = vec![
                plain("it goes on by itself"),
                cancel(id, "a sleep cannot be cut short; to give the invocation up"),
            ];
            Draft { until: *at, ..Draft::new(Kind::Timer, detail, advice) }
        }
        Awaited::Awakeable(awakeable) => {
            let detail = format!("{waits} the awakeable {awakeable}, which nobody has completed");
            let at = format!("{ingress}restate/awakeables/{awakeable}");
            let advice = vec![
                command(
                    "to complete it, with the value that the handler expects, in JSON",
                    format!("curl {} --json '\"value\"'", word(&format!("{at}/resolve"))),
                ),
                command(
                    "to fail it, so that the handler sees an error",
                    format!("curl {} -d 'why it failed'", word(&format!("{at}/reject"))),
                ),
                cancel(id, "to give the invocation up"),
            ];
            Draft::new(Kind::Awakeable, detail, advice)
        }
        Awaited::Signal(name) => {
            let detail = format!("{waits} the signal '{name}', which nobody has sent");
            let advice = vec![
                plain(format!("another handler has to send the signal to {id}")),
                cancel(id, "to give the invocation up"),
            ];
            Draft::new(Kind::Signal, detail, advice)
        }
        Awaited::Cancellation => {
            let detail = format!("{waits} nothing but its cancellation");
            Draft::new(Kind::Cancellation, detail, vec![cancel(id, "to end it")])
        }
        Awaited::Promise { name } => {
            let workflow = format!("{}/{}", target.service, target.key);
            let detail = format!(
                "{waits} the promise{} of {workflow}, which nobody has completed",
                quoted(name)
            );
            let mut advice = handlers(around, target);
            advice.push(cancel(id, "to give the invocation up"));
            Draft::new(Kind::Promise, detail, advice)
        }
        Awaited::Step { name } if need == Need::Possible => {
            let detail = format!("carries out its step{} in its endpoint", quoted(name));
            let advice =
                plain("what the step does now, only its endpoint knows: see the log there");
            Draft::new(Kind::Step, detail, vec![advice])
        }
        Awaited::Step { name } => {
            let detail = format!(
                "{waits} the result of its step{}, which only an attempt of its own can carry out",
                quoted(name)
            );
            Draft::new(Kind::StepLost, detail, vec![resume(id, "to start such an attempt")])
        }
        Awaited::Result { kind, name } => {
            let detail = format!("{waits} the result of {}{}", kind.name(), quoted(name));
            Draft::new(Kind::Result, detail, Vec::new())
        }
    }
}

fn follow(draft: Draft, invocation: Option<InvocationId>) -> Draft {
    Draft { waits_for: invocation.map(Subject::Invocation), ..draft }
}

/// The handlers of a workflow that may complete a promise: nobody else can.
fn handlers(around: &Surroundings, target: &Target) -> Vec<super::Advice> {
    let text = "one of the workflow's handlers has to complete it";
    let Some(service) = around.registry.service(&target.service) else {
        return vec![plain(text)];
    };
    let shared = service.definition().handlers.iter();
    let shared = shared.filter(|handler| handler.kind == HandlerKind::Shared);
    let encode = |part: &str| utf8_percent_encode(part, PLAIN).to_string();
    let calls: Vec<_> = shared
        .take(HANDLERS_MAX)
        .map(|handler| {
            let [service, key, handler] =
                [&target.service, &target.key, &handler.name].map(|it| encode(it));
            let url = format!("{}{service}/{key}/{handler}", around.ingress_url);
            command(
                format!("{text}, perhaps {handler}"),
                format!("curl {} --json 'VALUE'", word(&url)),
            )
        })
        .collect();
    if calls.is_empty() { vec![plain(text)] } else { calls }
}

/// How many there are beyond those that are shown.
fn more(waits: &Waits) -> String {
    let kinds = waits.more.iter().map(|(kind, count)| format!("{count} {kind}"));
    let mut parts: Vec<String> = kinds.collect();
    if waits.is_cut {
        parts.push("others that are not counted here".to_owned());
    }
    format!("has asked for more of the kind: {}", parts.join(", "))
}
