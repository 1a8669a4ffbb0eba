//! Chains of facts that nobody has stored: how they are followed, and what they come to.

use std::collections::BTreeMap;

use protocol::{InvocationId, Target};
use runtime_core::{model::invocation::StatusKind, time::Timestamp};

use super::{PIN, surroundings};
use crate::{
    tests::support::id,
    why::{
        AttemptState, Chain, Facts, Kind, Need, Subject, Verdict, Why,
        chain::LINKS_MAX,
        facts::{Count, Invocation, State},
        waits::{Awaited, Wait, Waits},
    },
};

fn invocation(status: StatusKind, state: State) -> Facts {
    Facts::Invocation(Box::new(Invocation {
        target: Target::new("Greeter", "", "greet"),
        pin: Some(PIN),
        status,
        since: Timestamp(1),
        failures: 0,
        policy_attempts: 0,
        is_unsent: false,
        is_cancelled: false,
        failure: None,
        state,
    }))
}

/// An invocation that waits for these others.
fn calls(need: Need, callees: &[u128]) -> Facts {
    let call = |callee: &u128| Wait {
        what: Awaited::Call { target: None, callee: Some(id(*callee)) },
        need,
    };
    suspended(callees.iter().map(call).collect())
}

fn suspended(shown: Vec<Wait>) -> Facts {
    let waits = Waits { shown, ..Waits::default() };
    invocation(StatusKind::Suspended, State::Suspended(waits))
}

fn queued(holder: u128) -> Facts {
    let ahead = Count::default();
    invocation(StatusKind::Inboxed, State::Queued { holder: id(holder), ahead })
}

fn paused() -> Facts {
    invocation(StatusKind::Paused, State::Paused { by: Some(("ann".to_owned(), None)) })
}

fn ended() -> Facts {
    invocation(StatusKind::Completed, State::Completed { failure: None })
}

fn sleeping(need: Need) -> Wait {
    Wait { what: Awaited::Timer { name: None, at: Some(Timestamp(9)) }, need }
}

/// Follows a chain from invocation 1 on, up to so many links.
fn followed(known: &[(u128, Facts)], links_max: usize) -> Why {
    let known: BTreeMap<InvocationId, &Facts> =
        known.iter().map(|(number, facts)| (id(*number), facts)).collect();
    let mut chain = Chain::about(Subject::Invocation(id(1)), surroundings(), links_max);
    let mut asked = Vec::new();
    while let Some(subject) = chain.next().cloned() {
        let Subject::Invocation(wanted) = subject else { panic!("nobody waits for {subject}") };
        assert!(!asked.contains(&wanted), "{wanted} is asked about twice");
        asked.push(wanted);
        let facts = known.get(&wanted).map_or(Facts::Absent, |facts| (*facts).clone());
        chain.learn(&facts, None);
    }
    chain.ended()
}

fn why(known: &[(u128, Facts)]) -> Why {
    followed(known, LINKS_MAX)
}

fn kinds(why: &Why) -> Vec<Kind> {
    why.links.iter().map(|link| link.kind).collect()
}

fn causes(why: &Why) -> Vec<Kind> {
    why.links.iter().filter_map(|link| Some(link.cause.as_ref()?.kind)).collect()
}

#[test]
fn links_follow_those_that_lead_to_them() {
    let known = [
        (1, calls(Need::Required, &[2, 3])),
        (2, queued(4)),
        (3, paused()),
        (4, calls(Need::Required, &[5])),
    ];
    let why = why(&known);
    // The second call's own chain comes after all of the first one's.
    assert_eq!(
        kinds(&why),
        [Kind::Call, Kind::Lock, Kind::Call, Kind::InTransit, Kind::Call, Kind::Paused]
    );
    let places: Vec<_> = why.links.iter().map(|it| (it.position, it.parent, it.depth)).collect();
    let expected = [
        (1, None, 0),
        (2, Some(1), 1),
        (3, Some(2), 2),
        (4, Some(3), 3),
        (5, None, 0),
        (6, Some(5), 1),
    ];
    assert_eq!(places, expected);
    assert_eq!((causes(&why), why.omitted), (vec![Kind::InTransit, Kind::Paused], 0));
    assert_eq!(why.verdict, Verdict::Stuck);
}

#[test]
fn who_is_waited_for_twice_is_followed_once() {
    let known = [
        (1, calls(Need::Required, &[2, 3])),
        (2, calls(Need::Required, &[4])),
        (3, calls(Need::Required, &[4])),
        (4, paused()),
    ];
    let why = why(&known);
    assert_eq!(kinds(&why), [Kind::Call, Kind::Call, Kind::Paused, Kind::Call, Kind::Call]);
    let same: Vec<_> = why.links.iter().map(|link| link.same_as).collect();
    assert_eq!(same, [None, None, None, None, Some(3)]);
    assert_eq!(causes(&why), [Kind::Paused], "that is no cycle");
}

#[test]
fn a_cycle_is_found_wherever_it_is_closed() {
    // One that the beginning is a part of, one that it only leads to, and one between two branches.
    let ring = [(1, calls(Need::Required, &[2])), (2, calls(Need::Required, &[3])), (3, queued(1))];
    let lasso =
        [(1, calls(Need::Required, &[2])), (2, calls(Need::Required, &[3])), (3, queued(2))];
    let branches = [
        (1, calls(Need::Required, &[2, 3])),
        (2, calls(Need::Required, &[3])),
        (3, calls(Need::Required, &[2])),
    ];
    for known in [&ring[..], &branches[..]] {
        let why = why(known);
        assert_eq!((causes(&why), why.verdict), (vec![Kind::Deadlock], Verdict::Stuck), "{why:#?}");
    }
    let why = why(&lasso);
    assert_eq!(causes(&why), [Kind::SelfDeadlock], "it calls what needs its own lock");
    let advice = why.links.last().unwrap().advice[0].command.clone();
    assert_eq!(advice.unwrap(), format!("abide invocations cancel {}", id(3)));
}

#[test]
fn a_cycle_that_something_else_may_break_is_no_deadlock() {
    let call =
        Wait { what: Awaited::Call { target: None, callee: Some(id(2)) }, need: Need::Alternative };
    let known =
        [(1, suspended(vec![call, sleeping(Need::Alternative)])), (2, calls(Need::Required, &[1]))];
    let why = why(&known);
    assert_eq!(causes(&why), [Kind::Cycle, Kind::Timer]);
    assert_eq!(why.verdict, Verdict::Waiting, "the sleep ends");
}

#[test]
fn what_is_required_decides_and_of_alternatives_the_best() {
    let both = |need| {
        suspended(vec![
            sleeping(need),
            Wait { what: Awaited::Call { target: None, callee: Some(id(2)) }, need },
        ])
    };
    for (need, callee, verdict) in [
        (Need::Required, paused(), Verdict::Stuck),
        (Need::Alternative, paused(), Verdict::Waiting),
        (Need::Alternative, ended(), Verdict::Moving),
        (Need::Required, ended(), Verdict::Waiting),
    ] {
        assert_eq!(why(&[(1, both(need)), (2, callee)]).verdict, verdict, "{need:?}");
    }
}

#[test]
fn a_chain_has_an_end_however_long_and_wide_it_is() {
    let long: Vec<_> = (1..1000).map(|n| (n, calls(Need::Required, &[n + 1]))).collect();
    let why = followed(&long, 16);
    assert_eq!((why.links.len(), why.omitted, why.verdict), (16, 1, Verdict::Waiting));
    assert_eq!(causes(&why), [], "what was left out is no cause");

    // The nearest are followed first.
    let wide: Vec<u128> = (2..40).collect();
    let mut known = vec![(1, calls(Need::Required, &wide))];
    known.extend(wide.iter().map(|n| (*n, calls(Need::Required, &[n + 100]))));
    let why = followed(&known, 64);
    assert_eq!(why.links.iter().filter(|link| link.depth == 0).count(), 38);
    assert_eq!((why.links.len(), why.omitted), (64, 38));
}

#[test]
fn what_is_not_sure_about_an_attempt_is_not_claimed() {
    let lack = crate::why::Lack {
        resource: crate::why::Resource::Permits,
        of: crate::why::Capacity::Node,
        held: 7,
        max: 7,
    };
    let attempt = |state| {
        let name = runtime_core::model::ids::AttemptRef {
            invocation: runtime_core::Lsn(1),
            attempt: runtime_core::Lsn(1),
        };
        let attempt = crate::why::Attempt {
            name,
            service: "Greeter".to_owned(),
            pin: None,
            journal_bytes: 0,
        };
        let open = Waits { shown: vec![sleeping(Need::Possible)], ..Waits::default() };
        let running = State::Running { attempt, open, is_pausing: false };
        let mut chain = Chain::about(Subject::Invocation(id(1)), surroundings(), LINKS_MAX);
        chain.learn(&invocation(StatusKind::Running, running), state);
        chain.ended()
    };
    let not_started = |lack, is_certain| Some(AttemptState::NotStarted { lack, is_certain });
    let under_way = |memory_bytes| {
        Some(AttemptState::UnderWay {
            idle_ms: Some(2500),
            aborted_in_ms: None,
            memory_bytes,
            is_held: false,
        })
    };
    let held = Some(AttemptState::UnderWay {
        idle_ms: None,
        aborted_in_ms: None,
        memory_bytes: None,
        is_held: true,
    });
    for (state, expected, says) in [
        (None, vec![Kind::Running, Kind::Timer], "runs attempt 1 on dp_1"),
        (under_way(None), vec![Kind::Running, Kind::Timer], "sent or received for 2 s"),
        (under_way(Some(9000)), vec![Kind::NoMemory, Kind::Timer], "a message of 9000 bytes"),
        (held, vec![Kind::NoDisk, Kind::Timer], "the disk is nearly full"),
        (not_started(Some(lack), true), vec![Kind::NoPermit], "all attempts hold 7 of 7 permits"),
        (not_started(Some(lack), false), vec![Kind::Starting], "or has just ended it"),
        (not_started(None, true), vec![Kind::Starting], "has not started attempt 1 yet"),
    ] {
        let why = attempt(state);
        assert_eq!(kinds(&why), expected, "{state:?}");
        assert!(why.links[0].detail.contains(says), "{says}: {}", why.links[0].detail);
        assert!(!why.links[0].detail.contains("secret"), "{}", why.links[0].detail);
    }
    assert_eq!(attempt(None).verdict, Verdict::Moving, "whatever it has asked for");
}

#[test]
fn an_attempt_under_way_says_what_it_is_asked_to_do_and_how_it_went_before() {
    let head = |change: &dyn Fn(&mut Invocation), aborted_in_ms| {
        let name = runtime_core::model::ids::AttemptRef {
            invocation: runtime_core::Lsn(1),
            attempt: runtime_core::Lsn(1),
        };
        let service = "Greeter".to_owned();
        let attempt = crate::why::Attempt { name, service, pin: None, journal_bytes: 0 };
        let running = State::Running { attempt, open: Waits::default(), is_pausing: false };
        let mut facts = invocation(StatusKind::Running, running);
        if let Facts::Invocation(it) = &mut facts {
            change(it);
        }
        let under_way = AttemptState::UnderWay {
            idle_ms: None,
            aborted_in_ms,
            memory_bytes: None,
            is_held: false,
        };
        let mut chain = Chain::about(Subject::Invocation(id(1)), surroundings(), LINKS_MAX);
        chain.learn(&facts, Some(under_way));
        let why = chain.ended();
        let advice = why.links[0].advice.iter().filter_map(|it| it.command.clone());
        (why.links[0].kind, why.verdict, why.links[0].detail.clone(), advice.collect::<Vec<_>>())
    };
    let (kind, verdict, says, _) = head(&|_| (), Some(61_900));
    assert_eq!((kind, verdict), (Kind::Running, Verdict::Moving));
    assert!(says.contains("is aborted in 61 s if nothing arrives"), "{says}");
    let (_, _, says, commands) = head(&|it| it.is_cancelled = true, None);
    assert!(says.contains("its cancellation has been requested"), "{says}");
    assert!(commands[0].starts_with("abide invocations kill inv_"), "{commands:?}");
    let (kind, verdict, says, _) = head(&|it| it.failures = 1, None);
    assert_eq!((kind, verdict), (Kind::Running, Verdict::Moving));
    assert!(says.contains("runs attempt 2"), "{says}");
    // With an attempt that hangs for minutes and a pause of half a second, this is how it is seen.
    let (kind, verdict, says, commands) = head(&|it| it.failures = 2, None);
    assert_eq!((kind, verdict), (Kind::Retry, Verdict::Stuck));
    assert!(says.contains("failed 2 times in a row; it runs attempt 3 on dp_1"), "{says}");
    assert!(commands.iter().any(|it| it.starts_with("abide invocations cancel")), "{commands:?}");
}

/// Each level leads to the next one twice.
#[test]
fn a_verdict_takes_no_longer_than_there_are_links() {
    let known: Vec<_> = (1..40).map(|n| (n, calls(Need::Required, &[n + 1, n + 1]))).collect();
    let why = why(&known);
    assert_eq!((why.links.len(), why.verdict), (64, Verdict::Waiting));
}

#[test]
fn a_step_that_nothing_carries_out_is_stuck() {
    let step =
        Wait { what: Awaited::Step { name: Some("charge".to_owned()) }, need: Need::Required };
    let why = why(&[(1, suspended(vec![step]))]);
    assert_eq!((kinds(&why), why.verdict), (vec![Kind::StepLost], Verdict::Stuck));
    let advice = why.links[0].advice[0].command.clone();
    assert_eq!(advice.unwrap(), format!("abide invocations resume {}", id(1)));
}
