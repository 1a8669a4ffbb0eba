//! Tests the behaviours, several at a time, and reports the outcome of each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};

use crate::{
    behaviours::{Behaviour, Env},
    gaps,
};

/// The outcome of a behaviour.
pub struct BehaviourResult {
    /// The behaviour's name.
    pub name: &'static str,
    /// `None` if it passed, or is a known gap of the SDK; otherwise what was wrong.
    pub fault: Option<String>,
    /// Why the SDK does not have the behaviour, if that is known.
    pub gap: Option<&'static str>,
    /// How long it took.
    pub took: Duration,
}

/// Number of behaviours tested concurrently.
const AT_ONCE: usize = 8;
/// A behaviour that takes longer counts as hung.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Tests all behaviours; calls `report` with each outcome as it arrives.
pub async fn run(
    env: Arc<Env>,
    behaviours: Vec<Behaviour>,
    report: impl Fn(&BehaviourResult),
) -> Vec<BehaviourResult> {
    let (alone, together): (Vec<_>, Vec<_>) =
        behaviours.into_iter().partition(|behaviour| behaviour.is_alone);
    let mut outcomes = Vec::new();
    for (behaviours, at_once) in [(together, AT_ONCE), (alone, 1)] {
        let mut asked = stream::iter(behaviours.into_iter().map(|behaviour| ask(&env, behaviour)))
            .buffer_unordered(at_once);
        while let Some(outcome) = asked.next().await {
            report(&outcome);
            outcomes.push(outcome);
        }
    }
    outcomes
}

async fn ask(env: &Env, behaviour: Behaviour) -> BehaviourResult {
    let started = Instant::now();
    let gap = gaps::known(env.sdk, behaviour.name);
    let failure = match tokio::time::timeout(TIMEOUT, (behaviour.ask)(env)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("{error:#}")),
        Err(_) => Some("hangs".to_owned()),
    };
    let fault = match (failure, gap) {
        (fault, None) => fault,
        (Some(_), Some(_)) => None,
        (None, Some(_)) => Some("passes, so it is no gap of the SDK any more".to_owned()),
    };
    BehaviourResult { name: behaviour.name, fault, gap, took: started.elapsed() }
}
