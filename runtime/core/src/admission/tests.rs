//! Which invocation gets which id, and which requests are rejected.

use protocol::ServiceKind;

use super::*;

/// Counts up, so that tests can tell which values were drawn.
struct Counting(u64);

impl Entropy for Counting {
    fn next_u64(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

const DERIVATION: Derivation = Derivation::Plain;
const NOW: Timestamp = Timestamp(1_700_000_000_000);
const BESIDE: PartitionKey = PartitionKey(77);

fn facts(service_kind: ServiceKind, handler_kind: HandlerKind) -> HandlerFacts {
    HandlerFacts {
        service_kind,
        handler_kind,
        journal_retention_ms: 1,
        idempotency_retention_ms: 20,
        workflow_retention_ms: 300,
    }
}

fn plain() -> HandlerFacts {
    facts(ServiceKind::Service, HandlerKind::Service)
}

fn object() -> HandlerFacts {
    facts(ServiceKind::VirtualObject, HandlerKind::Exclusive)
}

fn workflow() -> HandlerFacts {
    facts(ServiceKind::Workflow, HandlerKind::Workflow)
}

fn asked(
    facts: HandlerFacts,
    key: &str,
    named: Option<&str>,
) -> Result<Box<Invoke>, AdmissionError> {
    let asked = Request {
        target: Target::new("S", key, "h"),
        idempotency_key: named.map(str::to_owned),
        headers: Vec::new(),
        value: Bytes::from_static(b"1"),
        start_at: None,
    };
    request(asked, &facts, DERIVATION, NOW, &mut Counting(0))
}

fn to_call(key: &str, named: Option<&str>) -> CallRequest {
    CallRequest {
        service: "S".to_owned(),
        handler: "h".to_owned(),
        key: key.to_owned(),
        parameter: Bytes::from_static(b"1"),
        headers: Vec::new(),
        idempotency_key: named.map(str::to_owned),
        scope: None,
        limit_key: None,
    }
}

fn called(facts: HandlerFacts, request: &CallRequest) -> Result<Callee, AdmissionError> {
    callee(request, &facts, DERIVATION, (BESIDE, NOW), &mut Counting(0))
}

#[test]
fn the_same_name_is_the_same_invocation_for_every_caller() {
    for (facts, key, named) in
        [(plain(), "", Some("one")), (object(), "k", Some("one")), (workflow(), "k", None)]
    {
        let (asked, called) =
            (asked(facts, key, named).unwrap(), called(facts, &to_call(key, named)));
        let called = called.unwrap();
        assert_eq!(asked.id, called.id);
        assert_eq!(asked.retention, called.retention);
        let began = call(&to_call(key, named), &called, asked.source.clone(), None);
        let random_seed = asked.random_seed;
        assert_eq!(
            *asked,
            Invoke { random_seed, ..began },
            "it is what the client would have begun"
        );
    }
}

#[test]
fn what_has_no_name_runs_by_its_key_beside_its_caller_or_anywhere() {
    let of_key = PartitionKey::of_key("k");
    assert_eq!(asked(object(), "k", None).unwrap().id.partition_key, of_key);
    assert_eq!(called(object(), &to_call("k", None)).unwrap().id.partition_key, of_key);
    assert_eq!(called(plain(), &to_call("", None)).unwrap().id.partition_key, BESIDE);
    let anywhere = asked(plain(), "", None).unwrap();
    assert_eq!(anywhere.id.partition_key, PartitionKey(1), "the first that was drawn");
    assert_eq!(anywhere.random_seed, 4, "after two for the id");
}

#[test]
fn how_long_it_is_kept_follows_from_what_names_it() {
    let kept = |invoke: Box<Invoke>| (invoke.retention.completion_ms, invoke.retention.journal_ms);
    assert_eq!(kept(asked(plain(), "", None).unwrap()), (1, 1));
    assert_eq!(kept(asked(plain(), "", Some("one")).unwrap()), (20, 1));
    assert_eq!(kept(asked(workflow(), "k", None).unwrap()), (300, 1));
    let brief = HandlerFacts { journal_retention_ms: 50, ..plain() };
    assert_eq!(kept(asked(brief, "", Some("one")).unwrap()), (20, 20), "no longer than the result");
}

/// The Restate server's rules, which differ between client requests and calls.
#[test]
fn clients_and_calls_have_rules_of_their_own() {
    assert!(asked(object(), "", None).is_ok(), "the empty key is one");
    let service = || "S".to_owned();
    assert_eq!(
        called(object(), &to_call("", None)),
        Err(AdmissionError::KeyMissing { service: service() })
    );
    let key = "k".to_owned();
    assert_eq!(
        called(plain(), &to_call("k", None)),
        Err(AdmissionError::KeyNotTaken { service: service(), key })
    );
    let refused = asked(workflow(), "k", Some("one")).unwrap_err();
    assert_eq!(refused, AdmissionError::IdempotencyKeyOnWorkflow);
    let workflow_call = called(workflow(), &to_call("k", Some("one"))).unwrap();
    assert_eq!(workflow_call.id, asked(workflow(), "k", None).unwrap().id, "it counts for nothing");
    assert_eq!(called(plain(), &to_call("", Some(""))), Err(AdmissionError::IdempotencyKeyEmpty));
    let limited = CallRequest { limit_key: Some("l".to_owned()), ..to_call("", None) };
    assert_eq!(called(plain(), &limited), Err(AdmissionError::LimitKeyWithoutScope));
    let scoped = CallRequest { scope: Some("s".to_owned()), ..to_call("", Some("one")) };
    let plain_id = called(plain(), &to_call("", Some("one"))).unwrap().id;
    assert_ne!(called(plain(), &scoped).unwrap().id, plain_id, "a scope is part of the name");
}
