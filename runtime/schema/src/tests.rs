use std::sync::Arc;

use protocol::{DeploymentId, HandlerKind, ServiceKind, discovery::Manifest};
use runtime_core::{model::deployment::StoredDeployment, registry::ResolveError, time::Timestamp};

use super::{
    registration::{Endpoint, RegistrationError, plan},
    *,
};

fn manifest(services: &str) -> Manifest {
    let text = format!(
        r#"{{"protocolMode":"BIDI_STREAM","minProtocolVersion":5,"maxProtocolVersion":7,
            "services":[{services}]}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn endpoint(id: u128) -> Endpoint {
    Endpoint {
        id: DeploymentId(id),
        uri: format!("http://127.0.0.1:{id}"),
        http1: false,
        headers: Vec::new(),
        metadata: Vec::new(),
        sdk: None,
    }
}

fn stored(
    registry: &RegistrySnapshot,
    id: u128,
    services: &str,
    revision: u32,
) -> StoredDeployment {
    let registration = plan(registry, endpoint(id), &manifest(services), true).unwrap();
    let revisions = vec![revision; registration.deployment.services.len()];
    let deployment = Arc::new(registration.deployment);
    StoredDeployment { deployment, created_at: Timestamp(1), revisions }
}

const COUNTER: &str = r#"{"name":"Counter","ty":"VIRTUAL_OBJECT","inactivityTimeout":5000,
    "handlers":[{"name":"add"},{"name":"get","ty":"SHARED","inactivityTimeout":7000}]}"#;

#[test]
fn new_invocations_go_to_the_latest_revision() {
    let empty = RegistrySnapshot::new(Vec::new(), Defaults::default());
    let first = stored(&empty, 9, COUNTER, 1);
    let second = stored(&empty, 3, COUNTER, 2);
    let registry = RegistrySnapshot::new(vec![first, second], Defaults::default());
    let latest = registry.latest_deployment("Counter").unwrap();
    assert_eq!(latest.deployment.id, DeploymentId(3));
    let facts = registry.resolve("Counter", "get").unwrap();
    assert_eq!(facts.handler_kind, HandlerKind::Shared);
    assert_eq!(facts.service_kind, ServiceKind::VirtualObject);
    assert!(matches!(
        registry.resolve("Counter", "nothing"),
        Err(ResolveError::UnknownHandler { .. })
    ));
    assert!(matches!(registry.resolve("Nobody", "x"), Err(ResolveError::UnknownService { .. })));
}

#[test]
fn the_handlers_word_counts_before_the_services_and_that_before_the_servers() {
    let empty = RegistrySnapshot::new(Vec::new(), Defaults::default());
    let deployment = stored(&empty, 1, COUNTER, 1);
    let timeout = |handler| {
        empty.handler_settings(&deployment, "Counter", handler).unwrap().inactivity_timeout_ms
    };
    assert_eq!(timeout("add"), 5000);
    assert_eq!(timeout("get"), 7000);
    let settings = empty.handler_settings(&deployment, "Counter", "add").unwrap();
    assert_eq!(settings.abort_timeout_ms, Defaults::default().handler.abort_timeout_ms);
    assert_eq!(settings.retry.max_attempts, Some(70));
}

#[test]
fn a_service_does_not_change_its_kind_by_accident() {
    let empty = RegistrySnapshot::new(Vec::new(), Defaults::default());
    let registry = RegistrySnapshot::new(vec![stored(&empty, 1, COUNTER, 1)], Defaults::default());
    let plain = manifest(r#"{"name":"Counter","ty":"SERVICE","handlers":[{"name":"add"}]}"#);
    let refused = plan(&registry, endpoint(2), &plain, false).unwrap_err();
    assert!(matches!(refused, RegistrationError::KindChanged { .. }), "{refused}");
    assert!(plan(&registry, endpoint(2), &plain, true).is_ok());
}

#[test]
fn a_schema_is_enforced_where_the_endpoint_asks_for_it() {
    let handler = |metadata: &str, schema: &str| {
        format!(
            r#"{{"name":"h","metadata":{{{metadata}}},
                "input":{{"contentType":"application/json","jsonSchema":{schema}}}}}"#
        )
    };
    let service = |metadata: &str, handler: &str| {
        format!(r#"{{"name":"S","ty":"SERVICE","metadata":{{{metadata}}},"handlers":[{handler}]}}"#)
    };
    let (strict, off) =
        (r#""abide.input-validation":"strict""#, r#""abide.input-validation":"off""#);
    let integer = r#"{"type":"integer"}"#;
    let registry = SharedRegistry::new(Defaults::default());
    let is_enforced = |of_service: &str, of_handler: &str| {
        let services = service(of_service, &handler(of_handler, integer));
        registry.publish(vec![stored(&registry.snapshot(), 1, &services, 1)]);
        registry.input_schema("S", "h").is_some()
    };
    assert!(!is_enforced("", ""));
    assert!(is_enforced("", strict) && is_enforced(strict, ""));
    assert!(!is_enforced(strict, off), "the handler's word counts first");
    assert!(is_enforced(off, strict));
    let before = registry.input_schema("S", "h").unwrap();
    assert!(is_enforced("", strict));
    let after = registry.input_schema("S", "h").unwrap();
    assert!(Arc::ptr_eq(&before, &after), "it is not compiled again");
    assert!(before.check(b"1").is_ok() && before.check(b"\"1\"").is_err());

    let empty = RegistrySnapshot::new(Vec::new(), Defaults::default());
    let remote = r#"{"$ref":"https://example.com/x"}"#;
    let planned = |metadata: &str, schema: &str| {
        let services = service("", &handler(metadata, schema));
        plan(&empty, endpoint(1), &manifest(&services), false).map(drop)
    };
    assert_eq!(planned("", remote), Ok(()), "nobody looks at it");
    let refused = planned(strict, remote).unwrap_err();
    assert_eq!(refused.restate_code(), Some("META0013"));
    let refused = refused.to_string();
    assert!(
        refused.contains("of 'S/h' cannot be enforced: it refers to 'https://example.com/x'"),
        "{refused}"
    );
    let typo = planned(r#""abide.input-validation":"strickt""#, integer).unwrap_err().to_string();
    assert!(
        typo.contains("'abide.input-validation' of 'h' is 'strickt', expected strict or off"),
        "{typo}"
    );
}

/// Several schemas that are each within their own limit.
#[test]
fn a_deployment_has_so_many_schemas_enforced() {
    let empty = RegistrySnapshot::new(Vec::new(), Defaults::default());
    let schema = r#"{"type":"string","pattern":"x{35000}"}"#;
    let planned = |count: usize, content_type: &str, setting: &str| {
        let handler = |n| {
            format!(
                r#"{{"name":"h{n}","input":{{"contentType":"{content_type}","jsonSchema":{schema}}}}}"#
            )
        };
        let handlers: Vec<_> = (0..count).map(handler).collect();
        let service = format!(
            r#"{{"name":"S","ty":"SERVICE","metadata":{{"abide.input-validation":"{setting}"}},
                "handlers":[{}]}}"#,
            handlers.join(",")
        );
        plan(&empty, endpoint(1), &manifest(&service), false).map(drop)
    };
    assert_eq!(planned(3, "application/json", "strict"), Ok(()));
    let refused = planned(20, "*/*", "strict").unwrap_err();
    assert_eq!(refused.restate_code(), Some("META0013"));
    assert!(refused.to_string().contains("the limit is 268435456 per deployment"), "{refused}");
    assert_eq!(planned(20, "application/json", "off"), Ok(()));
    assert_eq!(planned(20, "text/plain", "strict"), Ok(()), "it is never JSON");
}

/// Publishing is done by threads that requests wait for.
#[test]
fn a_schema_is_compiled_by_who_checks_an_input() {
    let service = r#"{"name":"S","ty":"SERVICE","metadata":{"abide.input-validation":"strict"},
        "handlers":[{"name":"h","input":{"contentType":"*/*","jsonSchema":{"type":"integer"}}}]}"#;
    let registry = SharedRegistry::new(Defaults::default());
    registry.publish(vec![stored(&registry.snapshot(), 1, service, 1)]);
    let schema = registry.input_schema("S", "h").unwrap();
    assert_eq!(schema.check_quickly(b"1"), None, "it is not compiled yet");
    assert_eq!(schema.check(b"1"), Ok(()));
    assert_eq!(schema.check_quickly(b"1"), Some(Ok(())));
    assert!(matches!(schema.check_quickly(b"true"), Some(Err(_))));
}

#[test]
fn the_registry_has_room_for_so_many_deployments_and_so_much_of_them() {
    let empty = RegistrySnapshot::new(Vec::new(), Defaults::default());
    let of = |count: u128, services: &str| {
        let rows = (1..=count).map(|id| stored(&empty, id, services, 1)).collect();
        RegistrySnapshot::new(rows, Defaults::default())
    };
    let small = manifest(COUNTER);
    let full = of(limits::DEPLOYMENTS_MAX as u128, "");
    let refused = plan(&full, endpoint(0), &small, false).unwrap_err().to_string();
    assert!(refused.contains("10001 deployments, more than the limit of 10000"), "{refused}");
    assert!(refused.contains("remove deployments that are no longer in use"), "{refused}");
    assert!(plan(&full, endpoint(7), &small, false).is_ok(), "it takes the place of one");
    let documentation = "x".repeat(limits::REGISTRY_BYTES_MAX / 4);
    let large =
        format!(r#"{{"name":"L","ty":"SERVICE","handlers":[],"documentation":"{documentation}"}}"#);
    let full = of(3, &large);
    assert!(plan(&full, endpoint(9), &small, false).is_ok());
    let refused = plan(&full, endpoint(9), &manifest(&large), false).unwrap_err();
    assert!(refused.to_string().contains("bytes, more than the limit of 134217728"), "{refused}");
}

#[test]
fn a_refusal_says_its_cause_once_and_nothing_in_our_own_language() {
    let empty = RegistrySnapshot::new(Vec::new(), Defaults::default());
    let registry = RegistrySnapshot::new(vec![stored(&empty, 1, COUNTER, 1)], Defaults::default());
    let plain = manifest(r#"{"name":"Counter","ty":"SERVICE","handlers":[{"name":"add"}]}"#);
    let refused = plan(&registry, endpoint(2), &plain, false).unwrap_err().to_string();
    assert!(refused.contains("registered as VirtualObject and would become Service"), "{refused}");
    let shared =
        manifest(r#"{"name":"S","ty":"SERVICE","handlers":[{"name":"h","ty":"EXCLUSIVE"}]}"#);
    let refused = plan(&registry, endpoint(2), &shared, false).unwrap_err().to_string();
    assert!(refused.contains("'h' of 'S' is EXCLUSIVE, which a SERVICE cannot have"), "{refused}");
    let long =
        manifest(&format!(r#"{{"name":"{}","ty":"SERVICE","handlers":[]}}"#, "x".repeat(300)));
    let refused = plan(&registry, endpoint(2), &long, false).unwrap_err();
    // A reporter that prints the chain of sources must not repeat the message.
    assert!(std::error::Error::source(&refused).is_none(), "{refused}");
}

#[test]
fn manifests_that_make_no_sense_are_refused_with_their_code() {
    let empty = RegistrySnapshot::new(Vec::new(), Defaults::default());
    let code = |manifest: &Manifest| {
        plan(&empty, endpoint(1), manifest, false).unwrap_err().restate_code().unwrap()
    };
    let named =
        |name: &str| manifest(&format!(r#"{{"name":"{name}","ty":"SERVICE","handlers":[]}}"#));
    assert_eq!(code(&named("restateX")), "META0005");
    assert_eq!(code(&named("openapi")), "META0005");
    assert_eq!(code(&named("9lives")), "META0013");
    let mut old = manifest(COUNTER);
    (old.min_protocol_version, old.max_protocol_version) = (1, 4);
    assert_eq!(code(&old), "META0012");
    (old.min_protocol_version, old.max_protocol_version) = (7, 5);
    assert_eq!(code(&old), "META0013");
    let long = named(&"x".repeat(10 << 20));
    assert_eq!(code(&long), "META0013");
    assert!(plan(&empty, endpoint(1), &long, false).unwrap_err().to_string().len() < 300);
    let many: Vec<String> = (0..=limits::SERVICES_MAX)
        .map(|n| format!(r#"{{"name":"S{n}","ty":"SERVICE","handlers":[]}}"#))
        .collect();
    let refused = plan(&empty, endpoint(1), &manifest(&many.join(",")), false).unwrap_err();
    assert!(
        refused.to_string().contains("1001 services, more than the limit of 1000"),
        "{refused}"
    );
    let workflow = r#"{"name":"W","ty":"SERVICE","handlers":[{"name":"run","ty":"WORKFLOW"}]}"#;
    assert_eq!(code(&manifest(workflow)), "META0013");
}
