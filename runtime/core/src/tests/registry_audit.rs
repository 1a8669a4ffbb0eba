//! What the audit keeps of changes of the registry.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{DeploymentId, HandlerKind, ServiceKind};

use super::support::*;
use crate::{
    effect::{Answer, Effect},
    event::Event,
    invariants,
    model::{
        deployment::{
            Deployment, HandlerDefinition, InputRule, OutputRule, RetryOptions, ServiceOptions,
        },
        ids::RequestId,
        invocation::StatusKind,
        registry_change::{
            AuditedChange, ChangeOutcome, FactValue, RegistryChange, RegistryVerb, Stranded,
        },
        state_edit::Sample,
    },
    registry::facts,
    tables::{
        Order, Row, Table,
        audit::{AUDITED_MAX, AuditEntry},
        walk::Budget,
    },
};

fn deployment(id: u128, uri: &str) -> Deployment {
    let handler = HandlerDefinition {
        name: "add".to_owned(),
        kind: HandlerKind::Exclusive,
        options: ServiceOptions::default(),
        input: InputRule { required: false, content_type: None, json_schema: None },
        output: OutputRule::default(),
        documentation: None,
        metadata: Vec::new(),
    };
    counter_deployment(id, uri, ServiceKind::VirtualObject, vec![handler])
}

fn register(deployment: Deployment, replace: bool) -> RegistryChange {
    let deployment = Arc::new(deployment);
    RegistryChange::Register { deployment, replace, allow_breaking: replace }
}

fn update(deployment: Deployment, overwrite: bool) -> RegistryChange {
    RegistryChange::Update { deployment: Arc::new(deployment), overwrite }
}

fn configure(service: &str, changes: ServiceOptions) -> RegistryChange {
    RegistryChange::Configure { service: service.to_owned(), changes }
}

fn remove(deployment: u128, stranded: Vec<Stranded>) -> RegistryChange {
    RegistryChange::Remove { deployment: DeploymentId(deployment), force: true, stranded }
}

/// Changes the registry; returns what the audit has kept of that.
fn change(fixture: &mut Fixture, change: RegistryChange) -> AuditedChange {
    let before = audit(fixture).len();
    let (operator, change) = (ada("too slow"), Box::new(change));
    fixture.effects.clear();
    fixture.apply(Event::RegistryChangeRequested { request: RequestId(9), operator, change });
    invariants::check(&fixture.tables()).unwrap();
    let answers = fixture.effects.iter();
    let answers = answers.filter(|it| matches!(it, Effect::Answer { request: RequestId(9), .. }));
    assert_eq!(answers.count(), 1);
    let mut kept = audit(fixture);
    assert_eq!(kept.len(), before + 1, "each change is kept once, done or refused");
    kept.pop().unwrap()
}

fn audit(fixture: &mut Fixture) -> Vec<AuditedChange> {
    let all = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };
    let tables = fixture.tables();
    let entries = tables.walk_audit((None, Order::Ascending), all).map(|(_, entry)| {
        let AuditEntry::Change(audited) = entry else { panic!("{entry:?} is no change") };
        *audited
    });
    entries.collect()
}

/// What is different, a line for each fact.
fn lines(audited: &AuditedChange) -> Vec<String> {
    fn value(of: Option<&FactValue>) -> String {
        match of {
            None => "-".to_owned(),
            Some(FactValue::Text(Sample::Whole(text))) => String::from_utf8(text.to_vec()).unwrap(),
            Some(other) => format!("{other:?}"),
        }
    }
    let facts = audited.changes.iter();
    let lines = facts.map(|it| {
        format!("{}: {} > {}", it.key, value(it.before.as_ref()), value(it.after.as_ref()))
    });
    lines.collect()
}

#[test]
fn who_what_when_and_why_are_kept() {
    let mut fixture = Fixture::single();
    let kept = change(&mut fixture, register(deployment(7, "http://a"), false));
    assert_eq!((&kept.operator, kept.at), (&ada("too slow"), fixture.tables().meta().stamp.at()));
    assert_eq!((kept.deployment, kept.outcome), (Some(DeploymentId(7)), ChangeOutcome::Done));
    assert_eq!(kept.verb, RegistryVerb::Register { replace: false, allow_breaking: false });
    let expected = [
        "bidirectional: - > Flag(true)",
        "max_protocol_version: - > Number(7)",
        "min_protocol_version: - > Number(5)",
        "uri: - > http://a",
        "use_http_11: - > Flag(false)",
        "services.Counter.revision: - > Number(1)",
        "services.Counter.ty: - > VirtualObject",
        "services.Counter.handlers.add.ty: - > Exclusive",
    ];
    assert_eq!(lines(&kept), expected);
}

#[test]
fn a_registration_in_place_of_another_keeps_what_is_different() {
    let mut fixture = Fixture::single();
    change(&mut fixture, register(deployment(7, "http://a"), false));
    let again = change(&mut fixture, register(deployment(8, "http://a"), false));
    assert_eq!(again.outcome, ChangeOutcome::AlreadyRegistered);
    assert_eq!((again.deployment, lines(&again)), (Some(DeploymentId(7)), Vec::new()));
    let mut other = deployment(8, "http://a");
    other.services[0].kind = ServiceKind::Service;
    other.services[0].handlers[0].name = "sum".to_owned();
    let kept = change(&mut fixture, register(other, true));
    assert_eq!((kept.deployment, kept.outcome), (Some(DeploymentId(7)), ChangeOutcome::Done));
    assert_eq!(kept.verb, RegistryVerb::Register { replace: true, allow_breaking: true });
    let expected = [
        "services.Counter.revision: Number(1) > Number(2)",
        "services.Counter.ty: VirtualObject > Service",
        "services.Counter.handlers.add.ty: Exclusive > -",
        "services.Counter.handlers.sum.ty: - > Exclusive",
    ];
    assert_eq!(lines(&kept), expected);
    let kind_changed = change(&mut fixture, register(deployment(9, "http://b"), false));
    assert_eq!(kind_changed.outcome, ChangeOutcome::KindChanged);
    assert_eq!((kind_changed.deployment, lines(&kind_changed)), (None, Vec::new()));
}

#[test]
fn values_of_headers_are_not_kept() {
    let mut fixture = Fixture::single();
    let with = |value: &str| {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![pair("authorization", value), pair("x-tenant", "s3cr3t-blue")];
        Deployment { headers, ..deployment(7, "http://a") }
    };
    change(&mut fixture, register(with("s3cr3t-old"), false));
    let rotated = change(&mut fixture, update(with("s3cr3t-new"), false));
    assert_eq!(lines(&rotated), ["additional_headers.authorization: Secret > Secret"]);
    let moved = change(&mut fixture, update(deployment(7, "http://b"), false));
    let expected = [
        "additional_headers.authorization: Secret > -",
        "additional_headers.x-tenant: Secret > -",
        "uri: http://a > http://b",
    ];
    assert_eq!(lines(&moved), expected);
    let all = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };
    let tables = fixture.tables();
    for (_, entry) in tables.walk_audit((None, Order::Ascending), all) {
        let AuditEntry::Change(audited) = entry else { panic!("{entry:?}") };
        let row = Row::AuditedChange(audited).encode(Vec::new());
        let is_there = row.windows(6).any(|bytes| bytes == b"s3cr3t");
        assert!(!is_there, "a value of a header is in the audit");
    }
}

#[test]
fn a_refused_update_says_why() {
    let mut fixture = Fixture::single();
    assert_eq!(
        change(&mut fixture, update(deployment(7, "http://a"), false)).outcome,
        ChangeOutcome::NotFound
    );
    change(&mut fixture, register(deployment(7, "http://a"), false));
    change(&mut fixture, register(deployment(8, "http://b"), false));
    let taken = change(&mut fixture, update(deployment(7, "http://b"), true));
    assert_eq!(taken.outcome, ChangeOutcome::AddressTaken);
    assert_eq!(taken.verb, RegistryVerb::Update { overwrite: true });
    let mut poorer = deployment(7, "http://a");
    poorer.services[0].handlers.clear();
    let lost = change(&mut fixture, update(poorer.clone(), false));
    assert_eq!((lost.outcome, lines(&lost)), (ChangeOutcome::Lost, Vec::new()));
    let overwritten = change(&mut fixture, update(poorer, true));
    assert_eq!(overwritten.outcome, ChangeOutcome::Done);
    let first = "services.Counter.handlers.add.ty: Exclusive > -";
    assert_eq!(lines(&overwritten).first().map(String::as_str), Some(first));
}

#[test]
fn each_setting_that_is_changed_is_kept_with_its_value_before_and_after() {
    let mut fixture = Fixture::single();
    change(&mut fixture, register(deployment(7, "http://a"), false));
    let all = ServiceOptions {
        inactivity_timeout_ms: Some(1),
        abort_timeout_ms: Some(2),
        journal_retention_ms: Some(3),
        idempotency_retention_ms: Some(4),
        workflow_retention_ms: None,
        lazy_state: Some(true),
        ingress_private: Some(true),
        retry: RetryOptions {
            initial_interval_ms: Some(5),
            max_interval_ms: Some(6),
            max_attempts: Some(7),
            factor_thousandths: Some(1500),
            on_max_attempts: None,
        },
    };
    let kept = change(&mut fixture, configure("Counter", all));
    assert_eq!(kept.verb, RegistryVerb::Configure { service: "Counter".to_owned() });
    assert_eq!((kept.deployment, kept.outcome), (Some(DeploymentId(7)), ChangeOutcome::Done));
    let of_service = |line: &str| format!("services.Counter.{line}");
    let expected = [
        "abort_timeout: - > DurationMs(2)",
        "enable_lazy_state: - > Flag(true)",
        "idempotency_retention: - > DurationMs(4)",
        "inactivity_timeout: - > DurationMs(1)",
        "journal_retention: - > DurationMs(3)",
        "public: - > Flag(false)",
        "retry_policy.exponentiation_factor: - > Thousandths(1500)",
        "retry_policy.initial_interval: - > DurationMs(5)",
        "retry_policy.max_attempts: - > Number(7)",
        "retry_policy.max_interval: - > DurationMs(6)",
    ];
    assert_eq!(lines(&kept), expected.map(of_service));
    let one = ServiceOptions { abort_timeout_ms: Some(9), ..ServiceOptions::default() };
    let kept = change(&mut fixture, configure("Counter", one.clone()));
    let expected = "services.Counter.abort_timeout: DurationMs(2) > DurationMs(9)";
    assert_eq!(lines(&kept), [expected]);
    let same = change(&mut fixture, configure("Counter", one.clone()));
    assert_eq!((same.outcome, lines(&same)), (ChangeOutcome::Done, Vec::new()));
    assert_eq!(change(&mut fixture, configure("Other", one)).outcome, ChangeOutcome::NotFound);
    let of_workflow = ServiceOptions { workflow_retention_ms: Some(1), ..Default::default() };
    let refused = change(&mut fixture, configure("Counter", of_workflow));
    assert_eq!(refused.outcome, ChangeOutcome::NotAWorkflow);
}

#[test]
fn a_removal_keeps_what_was_there_and_what_it_leaves_behind() {
    let mut fixture = Fixture::single();
    change(&mut fixture, register(deployment(7, "http://a"), false));
    let running =
        Stranded { service: "Counter".to_owned(), status: StatusKind::Running, count: 300 };
    let kept = change(&mut fixture, remove(7, vec![running.clone()]));
    assert_eq!((kept.deployment, kept.outcome), (Some(DeploymentId(7)), ChangeOutcome::Done));
    assert_eq!(kept.verb, RegistryVerb::Remove { force: true });
    assert_eq!(kept.stranded, std::slice::from_ref(&running));
    assert!(lines(&kept).contains(&"uri: http://a > -".to_owned()), "{:?}", lines(&kept));
    assert!(kept.changes.iter().all(|fact| fact.after.is_none()));
    let again = change(&mut fixture, remove(7, vec![running]));
    assert_eq!((again.outcome, again.stranded), (ChangeOutcome::NotFound, Vec::new()));
}

/// The facts of a deployment are what becomes of them by one change after the other.
#[test]
fn what_was_kept_adds_up_to_what_is_registered() {
    let mut fixture = Fixture::single();
    let options = ServiceOptions { abort_timeout_ms: Some(9), ..ServiceOptions::default() };
    let mut renamed = deployment(7, "http://b");
    renamed.services[0].name = "Sum".to_owned();
    renamed.metadata = vec![("team".to_owned(), "x".repeat(2000))];
    for one in [
        register(deployment(7, "http://a"), false),
        configure("Counter", options),
        update(deployment(7, "http://b"), false),
        register(renamed, true),
    ] {
        change(&mut fixture, one);
    }
    let mut facts = std::collections::BTreeMap::new();
    for changed in audit(&mut fixture).into_iter().flat_map(|audited| audited.changes) {
        assert_eq!(facts.remove(&changed.key), changed.before, "{}", changed.key);
        if let Some(after) = changed.after {
            facts.insert(changed.key, after);
        }
    }
    let stored = fixture.tables().deployment(DeploymentId(7)).unwrap();
    let expected = facts::of(&stored).into_iter();
    let expected = expected.map(|fact| (fact.key, fact.after.unwrap())).collect();
    assert_eq!(facts, expected);
    assert!(matches!(facts["metadata.team"], FactValue::Text(Sample::Hashed { bytes: 2000, .. })));
}

#[test]
fn the_audit_of_a_large_deployment_is_bounded() {
    let mut fixture = Fixture::single();
    let mut large = deployment(7, "http://a");
    let handler = large.services[0].handlers[0].clone();
    let named = |n| HandlerDefinition { name: format!("h{n:0>200}"), ..handler.clone() };
    large.services[0].handlers = (0..500).map(named).collect();
    let kept = change(&mut fixture, register(large.clone(), false));
    let total = kept.changes.len() as u64 + kept.changes_omitted;
    assert_eq!(total, 7 + 500);
    let stranded =
        |n| Stranded { service: format!("S{n:0>200}"), status: StatusKind::Running, count: 1 };
    let removed = change(&mut fixture, remove(7, (0..500).map(stranded).collect()));
    assert_eq!(removed.stranded.len() as u64 + removed.stranded_omitted, 500);
    for audited in [kept, removed] {
        // What matters most comes first.
        assert_eq!(audited.changes[3].key, "uri");
        let row = Row::AuditedChange(Box::new(audited));
        let bytes = row.encode(Vec::new()).len();
        assert!((1..40 << 10).contains(&bytes), "{bytes} bytes");
        assert!(row.payload_bytes() >= bytes, "the estimate is too low");
    }
}

#[test]
fn the_oldest_entry_makes_room_for_a_change_of_the_registry() {
    let mut fixture = Fixture::single();
    change(&mut fixture, register(deployment(7, "http://a"), false));
    change(&mut fixture, register(deployment(8, "http://b"), false));
    fixture.checkpoint();
    // As if many had been there before.
    let key = |number| Table::Audit.key().u64(number).done();
    let row = fixture.base.0.remove(&key(1)).unwrap();
    fixture.base.0.insert(key(AUDITED_MAX - 1), row);
    let (operator, removal) = (ada("too slow"), Box::new(remove(7, Vec::new())));
    fixture.apply(Event::RegistryChangeRequested {
        request: RequestId(9),
        operator,
        change: removal,
    });
    let kept: Vec<_> = audit(&mut fixture).into_iter().map(|it| it.deployment).collect();
    assert_eq!(kept, [Some(DeploymentId(8)), Some(DeploymentId(7))], "the first one made room");
}

/// A change is answered by the record that keeps it: neither comes without the other.
#[test]
fn the_answer_and_the_audit_are_of_one_record() {
    let mut fixture = Fixture::single();
    let (operator, change) =
        (ada("too slow"), Box::new(register(deployment(7, "http://a"), false)));
    fixture.apply(Event::RegistryChangeRequested { request: RequestId(9), operator, change });
    let is_answer =
        |it: &Effect| matches!(it, Effect::Answer { answer: Answer::Registered(_), .. });
    assert_eq!(fixture.effects.iter().filter(|it| is_answer(it)).count(), 1);
    assert_eq!(audit(&mut fixture).len(), 1);
    assert!(fixture.effects.contains(&Effect::PublishRegistry));
    let text = FactValue::Text(Sample::Whole(Bytes::from("http://a")));
    let uri = audit(&mut fixture)[0].changes.iter().any(|it| it.after == Some(text.clone()));
    assert!(uri);
}
