//! Attempts: under way, about to start, and between one that failed and the next.

use protocol::{InvocationId, Target, surface::code};
use runtime_core::{attempt::CODE_UNKNOWN_TARGET, model::invocation::AttemptFailure};

use super::{
    Advice, AttemptState, Draft, Invocation, Kind,
    advice::{abandon, command, kill, plain, resume, resume_on_latest, word},
    placed::{Placed, uri},
};
use crate::why::{
    attempt::{Capacity, Lack, Resource},
    facts::FAILING_MIN,
};

/// The code of a failure that says that a handler does not follow its journal.
const JOURNAL_MISMATCH: u32 = code::JOURNAL_MISMATCH;

/// An invocation whose attempt is running, as far as its rows say.
pub(super) fn running(
    id: InvocationId,
    it: &Invocation,
    placed: &Placed<'_>,
    attempt: Option<AttemptState>,
    is_pausing: bool,
) -> Draft {
    let number = it.failures.saturating_add(1);
    match attempt {
        Some(AttemptState::NotStarted { lack, is_certain }) => {
            not_started(&it.target, number, lack, is_certain)
        }
        Some(AttemptState::UnderWay { is_held: true, .. }) => {
            let detail = format!(
                "runs attempt {number}, whose steps are held back, since the disk is nearly full"
            );
            let advice = "free some disk space: it goes on by itself (docs/operations.md, A full or \
                          failing disk)";
            Draft::new(Kind::NoDisk, detail, vec![plain(advice)])
        }
        Some(AttemptState::UnderWay { memory_bytes: Some(bytes), is_held: false, .. }) => {
            let detail = format!(
                "runs attempt {number}, which waits for memory for a message of {bytes} bytes from \
                 its handler"
            );
            let advice = "it gets it when other messages have been stored; if that takes long, raise \
                          memory-budget-bytes (docs/configuration.md, Memory)";
            Draft::new(Kind::NoMemory, detail, vec![plain(advice)])
        }
        Some(AttemptState::UnderWay {
            idle_ms,
            aborted_in_ms,
            memory_bytes: None,
            is_held: false,
        }) => {
            let silence = Silence { idle_ms, aborted_in_ms };
            under_way(id, it, placed, silence, is_pausing)
        }
        None => under_way(id, it, placed, Silence::default(), is_pausing),
    }
}

/// What is known of an attempt that neither sends nor receives anything.
#[derive(Debug, Clone, Copy, Default)]
struct Silence {
    /// For how long it has been like that, while it can be asked to suspend.
    idle_ms: Option<u64>,
    /// How soon it is aborted, once it cannot be asked any more.
    aborted_in_ms: Option<u64>,
}

fn under_way(
    id: InvocationId,
    it: &Invocation,
    placed: &Placed<'_>,
    silence: Silence,
    is_pausing: bool,
) -> Draft {
    let number = it.failures.saturating_add(1);
    let mut detail = format!("runs attempt {number} on {}", placed.name());
    let seconds = |ms: Option<u64>| ms.map(|ms| ms / 1000);
    // Below that, the handler may be just between two messages.
    if let Some(seconds) = seconds(silence.idle_ms).filter(|seconds| *seconds > 0) {
        detail += &format!("; nothing has been sent or received for {seconds} s");
    }
    if let Some(seconds) = seconds(silence.aborted_in_ms) {
        detail += &format!(
            "; it has been asked to suspend, or cannot be, and is aborted in {seconds} s if nothing \
             arrives until then (abort_timeout)"
        );
    }
    if is_pausing {
        detail += "; it will be paused once this attempt ends";
    }
    let mut advice = Vec::new();
    if it.is_cancelled {
        detail +=
            "; its cancellation has been requested, and takes effect when it waits for something";
        advice.push(kill(id, "if it does not, to end it at once, without compensations"));
    }
    let failed = it.failure.as_ref().map_or_else(String::new, |failure| format!(": {failure}"));
    if it.failures >= FAILING_MIN {
        let detail = format!("has failed {} times in a row{failed}; it {detail}", it.failures);
        advice.extend(remedies(id, it, placed));
        return Draft::new(Kind::Retry, detail, advice);
    }
    if it.failures > 0 {
        detail += &format!("; the attempt before failed{failed}");
    }
    advice.push(plain(
        "nothing has to be done while it makes progress; what it does now, only its endpoint knows: \
         see the log there",
    ));
    Draft::new(Kind::Running, detail, advice)
}

fn not_started(target: &Target, number: u32, lack: Option<Lack>, is_certain: bool) -> Draft {
    let Some(lack) = lack else {
        let or = if is_certain { "" } else { ", or has just ended it" };
        let detail = format!("has not started attempt {number} yet{or}");
        return Draft::new(Kind::Starting, detail, Vec::new());
    };
    let Lack { resource, of, held, max } = lack;
    let (what, setting) = match resource {
        Resource::Permits => ("permits", "attempts-max"),
        Resource::Connections => ("connections to endpoints in HTTP/1.1", "attempts-max"),
        Resource::Memory => ("bytes of memory for journals and state", "memory-budget-bytes"),
    };
    let holder = match of {
        Capacity::Node => "all attempts".to_owned(),
        Capacity::Deployment(deployment) => format!("those of {deployment}"),
        Capacity::Service(deployment) => format!("those of {} on {deployment}", target.service),
    };
    let share = match of {
        Capacity::Node => "which is all there are",
        Capacity::Deployment(_) => "which is as much as one deployment may have",
        Capacity::Service(_) => "which is as much as one service of a deployment may have",
    };
    let taken = format!("{holder} hold {held} of {max} {what}, {share}");
    if !is_certain {
        let detail = format!("has not started attempt {number} yet, or has just ended it; {taken}");
        return Draft::new(Kind::Starting, detail, Vec::new());
    }
    let kind = if resource == Resource::Memory { Kind::NoMemory } else { Kind::NoPermit };
    let detail = format!("cannot start attempt {number}: {taken}");
    let list = match of {
        Capacity::Node => "abide invocations list --status running".to_owned(),
        Capacity::Deployment(_) | Capacity::Service(_) => {
            format!("abide invocations list --status running --service {}", word(&target.service))
        }
    };
    let advice = vec![
        command("to see what holds them; it starts when one of these ends or waits", list),
        plain(format!("to have more, raise {setting} and restart (docs/configuration.md)")),
    ];
    Draft::new(kind, detail, advice)
}

/// An invocation between an attempt that failed and the next.
pub(super) fn backing_off(id: InvocationId, it: &Invocation, placed: &Placed<'_>) -> Draft {
    if let Some(fault) = placed.fault(id, &it.target) {
        return fault;
    }
    let failure = it.failure.as_ref().map_or_else(String::new, |it| format!(": {it}"));
    let times = match it.failures {
        0 | 1 => "once".to_owned(),
        failures => format!("{failures} times in a row"),
    };
    let on = placed.name();
    if it.is_unsent {
        return unreachable(id, placed, format!("could not be sent to {on}, {times}{failure}"));
    }
    let mut advice =
        vec![resume(id, "once the handler, or what it needs, is mended, to try again at once")];
    advice.extend(remedies(id, it, placed));
    Draft::new(Kind::Retry, format!("has failed on {on}, {times}{failure}"), advice)
}

/// What helps an invocation that fails again and again.
fn remedies(id: InvocationId, it: &Invocation, placed: &Placed<'_>) -> Vec<Advice> {
    let mut advice = Vec::new();
    if it.failure.as_ref().is_some_and(is_mismatch) {
        advice.push(command(
            "if its code has changed under it, to go on with code that follows its journal",
            format!("abide invocations resume {id} --deployment dp_…"),
        ));
    }
    if it.failure.as_ref().is_some_and(is_unknown_callee) {
        advice.push(command(
            "to register the endpoint that offers what it calls",
            "abide deployments register URL".to_owned(),
        ));
    }
    advice.extend(placed.has_newer(&it.target).then(|| resume_on_latest(id)));
    advice.extend(abandon(id));
    advice
}

fn unreachable(id: InvocationId, placed: &Placed<'_>, detail: String) -> Draft {
    let mut advice = Vec::new();
    if let Ok(stored) = &placed.on {
        let version = if stored.deployment.http1 { "" } else { "--http2-prior-knowledge " };
        let address = uri(stored).trim_end_matches('/');
        advice.push(command(
            "to see whether the endpoint answers",
            format!("curl -v {version}{}", word(&format!("{address}/health"))),
        ));
    }
    advice.push(resume(id, "once it answers again, to try at once instead of by itself"));
    if let Ok(stored) = &placed.on {
        let update = format!("abide deployments update {} --uri URL", stored.deployment.id);
        advice.push(command("if the endpoint is elsewhere by now, to say where", update));
    }
    Draft::new(Kind::Unreachable, detail, advice)
}

fn is_unknown_callee(failure: &AttemptFailure) -> bool {
    failure.error_code.as_deref() == Some(CODE_UNKNOWN_TARGET)
}

fn is_mismatch(failure: &AttemptFailure) -> bool {
    failure.code == JOURNAL_MISMATCH
}
