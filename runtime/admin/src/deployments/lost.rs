//! What another version of a deployment no longer offers, in words.

use protocol::{HandlerKind, ProtocolVersion};
use runtime_core::model::deployment::{Deployment, Lost};
use runtime_views::deployment::Usage;

use crate::metadata::Info;

/// How many things a message names; of the others it gives the number.
const NAMED_MAX: usize = 20;

/// What `was` offers and `would_be` does not, as far as it matters to the registry or to the
/// invocations in `usage`.
pub(super) fn between(was: &Deployment, would_be: &Deployment, usage: &Usage) -> Vec<String> {
    let lost = was.lost_in(would_be);
    let lost = lost.iter().map(|lost| {
        let (service, words) = words(lost);
        let needed = match usage.unfinished_of(service) {
            0 => String::new(),
            1 => " (1 unfinished invocation of it has to finish here)".to_owned(),
            count => format!(" ({count} unfinished invocations of it have to finish here)"),
        };
        words + &needed
    });
    lost.chain(protocol(was, would_be, usage)).collect()
}

/// The first of some things, separated by semicolons.
pub(super) fn listed(things: &[String]) -> String {
    let (named, rest) = things.split_at(things.len().min(NAMED_MAX));
    let named = named.join("; ");
    if rest.is_empty() { named } else { format!("{named}; and {} more", rest.len()) }
}

/// What an operator should know about it, if there is any.
pub(super) fn info(about: &str, things: &[String]) -> Option<Info> {
    (!things.is_empty()).then(|| Info::new(format!("{about}: {}", listed(things))))
}

/// What was lost, preceded by the service that it is or belongs to.
pub(super) fn words(lost: &Lost) -> (&str, String) {
    match lost {
        Lost::Service(service) => (service, format!("service '{service}' is missing")),
        Lost::ServiceKind { service, was, would_be } => {
            let (was, would_be) = (was.name(), would_be.name());
            (service, format!("service '{service}' is a {was} and would be a {would_be}"))
        }
        Lost::Handler { service, handler } => {
            (service, format!("handler '{service}/{handler}' is missing"))
        }
        Lost::HandlerKind { service, handler, was, would_be } => {
            let (was, would_be) = (kind(*was), kind(*would_be));
            (service, format!("handler '{service}/{handler}' is {was} and would be {would_be}"))
        }
    }
}

fn kind(kind: HandlerKind) -> &'static str {
    match kind {
        HandlerKind::Service => "of a plain service",
        HandlerKind::Exclusive => "exclusive",
        HandlerKind::Shared => "shared",
        HandlerKind::Workflow => "a workflow's run",
    }
}

/// An invocation keeps to the protocol version in which it has begun.
fn protocol(was: &Deployment, would_be: &Deployment, usage: &Usage) -> Option<String> {
    let count = usage.unfinished();
    let speaks = |deployment: &Deployment, version: u32| {
        let (min, max) = deployment.protocol_range;
        (min..=max).contains(&version)
    };
    let ours = ProtocolVersion::MIN.number()..=ProtocolVersion::MAX.number();
    let lost = ours.filter(|version| speaks(was, *version) && !speaks(would_be, *version));
    let lost: Vec<_> = lost.map(|version| version.to_string()).collect();
    let is_needed = count > 0 && !lost.is_empty();
    is_needed.then(|| {
        format!(
            "service protocol {} is not spoken, in which unfinished invocations may have begun \
             here ({count})",
            lost.join(" and ")
        )
    })
}
