//! A deployment as a list of named facts, so that two versions of it can be compared. The names are
//! those that the admin API has for them.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::HandlerKind;

use crate::{
    kept::Kept,
    model::{
        deployment::{
            HandlerDefinition, InputRule, OnMaxAttempts, OutputRule, ServiceDefinition,
            ServiceOptions, StoredDeployment,
        },
        registry_change::{ChangedFact, FactValue},
        state_edit::Sample,
    },
};

/// What a fact is about. The audit keeps the most important differences if it has no space for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Deployment,
    Service,
    Handler,
    Settings,
    Details,
}

/// The value of a fact, before the audit shortens or hides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value<'a> {
    Text(&'a str),
    Number(u64),
    DurationMs(u64),
    Thousandths(u64),
    Flag(bool),
    Secret(&'a str),
}

#[derive(Default)]
struct Facts<'a>(BTreeMap<(Rank, String), Value<'a>>);

/// What is different between two versions of a deployment; `None` stands for one that does not
/// exist.
pub(super) fn differences(
    before: Option<&StoredDeployment>,
    after: Option<&StoredDeployment>,
) -> Kept<ChangedFact> {
    let (before, after) = (Facts::of_any(before), Facts::of_any(after));
    let removed = before.0.keys().filter(|key| !after.0.contains_key(*key));
    let mut keys: Vec<_> = after.0.keys().chain(removed).collect();
    keys.sort_unstable();
    let mut kept = Kept::default();
    for key in keys {
        let (before, after) = (before.0.get(key), after.0.get(key));
        if before == after {
            continue;
        }
        let value = |of: Option<&Value<'_>>| of.map(|value| value.kept());
        let changed =
            ChangedFact { key: key.1.clone(), before: value(before), after: value(after) };
        let values = [&changed.before, &changed.after].into_iter().flatten();
        let bytes = changed.key.len() + values.map(FactValue::kept_bytes).sum::<usize>();
        kept.note(changed, bytes);
    }
    kept
}

/// Everything that a change of a deployment can make different, each as if it was new: as much as
/// the audit would keep.
pub fn of(stored: &StoredDeployment) -> Vec<ChangedFact> {
    differences(None, Some(stored)).entries
}

impl Value<'_> {
    fn kept(self) -> FactValue {
        match self {
            Self::Text(text) => {
                FactValue::Text(Sample::of(&Bytes::copy_from_slice(text.as_bytes())))
            }
            Self::Number(number) => FactValue::Number(number),
            Self::DurationMs(ms) => FactValue::DurationMs(ms),
            Self::Thousandths(thousandths) => FactValue::Thousandths(thousandths),
            Self::Flag(flag) => FactValue::Flag(flag),
            Self::Secret(_) => FactValue::Secret,
        }
    }
}

impl<'a> Facts<'a> {
    fn of_any(stored: Option<&'a StoredDeployment>) -> Self {
        let mut facts = Self::default();
        if let Some(stored) = stored {
            facts.deployment(stored);
        }
        facts
    }

    fn add(&mut self, rank: Rank, key: impl Into<String>, value: Value<'a>) {
        self.0.insert((rank, key.into()), value);
    }

    fn add_some(&mut self, rank: Rank, key: impl Into<String>, value: Option<Value<'a>>) {
        if let Some(value) = value {
            self.add(rank, key, value);
        }
    }

    fn add_pairs(&mut self, rank: Rank, of: &str, pairs: &'a [(String, String)]) {
        for (name, value) in pairs {
            self.add(rank, format!("{of}.{name}"), Value::Text(value));
        }
    }

    fn deployment(&mut self, stored: &'a StoredDeployment) {
        let deployment = &*stored.deployment;
        let (min, max) = deployment.protocol_range;
        let sdk = deployment.sdk.as_deref().map(Value::Text);
        self.add(Rank::Deployment, "uri", Value::Text(&deployment.uri));
        self.add(Rank::Deployment, "use_http_11", Value::Flag(deployment.http1));
        self.add(Rank::Deployment, "bidirectional", Value::Flag(deployment.bidirectional));
        self.add(Rank::Deployment, "min_protocol_version", Value::Number(u64::from(min)));
        self.add(Rank::Deployment, "max_protocol_version", Value::Number(u64::from(max)));
        self.add_some(Rank::Deployment, "sdk_version", sdk);
        for (name, value) in &deployment.headers {
            let key = format!("additional_headers.{name}");
            self.add(Rank::Deployment, key, Value::Secret(value));
        }
        self.add_pairs(Rank::Deployment, "metadata", &deployment.metadata);
        for (service, revision) in deployment.services.iter().zip(&stored.revisions) {
            self.service(service, *revision);
        }
    }

    fn service(&mut self, service: &'a ServiceDefinition, revision: u32) {
        let key = format!("services.{}", service.name);
        let revision = Value::Number(u64::from(revision));
        self.add(Rank::Service, format!("{key}.revision"), revision);
        self.add(Rank::Service, format!("{key}.ty"), Value::Text(service.kind.name()));
        self.options(&key, &service.options);
        self.details(&key, service.documentation.as_deref(), &service.metadata);
        for handler in &service.handlers {
            self.handler(&format!("{key}.handlers.{}", handler.name), handler);
        }
    }

    fn handler(&mut self, key: &str, handler: &'a HandlerDefinition) {
        let kind = match handler.kind {
            HandlerKind::Service => "Service",
            HandlerKind::Exclusive => "Exclusive",
            HandlerKind::Shared => "Shared",
            HandlerKind::Workflow => "Workflow",
        };
        self.add(Rank::Handler, format!("{key}.ty"), Value::Text(kind));
        self.options(key, &handler.options);
        self.details(key, handler.documentation.as_deref(), &handler.metadata);
        let InputRule { required, content_type, json_schema } = &handler.input;
        let text = |text: &'a Option<String>| text.as_deref().map(Value::Text);
        let flag = |flag: bool| flag.then_some(Value::Flag(true));
        self.add_some(Rank::Details, format!("{key}.input_required"), flag(*required));
        self.add_some(Rank::Details, format!("{key}.input_content_type"), text(content_type));
        self.add_some(Rank::Details, format!("{key}.input_json_schema"), text(json_schema));
        let OutputRule { content_type, set_content_type_if_empty, json_schema } = &handler.output;
        let if_empty = flag(*set_content_type_if_empty);
        self.add_some(Rank::Details, format!("{key}.output_content_type"), text(content_type));
        self.add_some(Rank::Details, format!("{key}.output_content_type_if_empty"), if_empty);
        self.add_some(Rank::Details, format!("{key}.output_json_schema"), text(json_schema));
    }

    fn details(
        &mut self,
        key: &str,
        documentation: Option<&'a str>,
        metadata: &'a [(String, String)],
    ) {
        let documentation = documentation.map(Value::Text);
        self.add_some(Rank::Details, format!("{key}.documentation"), documentation);
        self.add_pairs(Rank::Details, &format!("{key}.metadata"), metadata);
    }

    fn options(&mut self, of: &str, options: &'a ServiceOptions) {
        let retry = &options.retry;
        let settings = [
            ("public", options.ingress_private.map(|is_private| Value::Flag(!is_private))),
            ("idempotency_retention", options.idempotency_retention_ms.map(Value::DurationMs)),
            ("workflow_completion_retention", options.workflow_retention_ms.map(Value::DurationMs)),
            ("journal_retention", options.journal_retention_ms.map(Value::DurationMs)),
            ("inactivity_timeout", options.inactivity_timeout_ms.map(Value::DurationMs)),
            ("abort_timeout", options.abort_timeout_ms.map(Value::DurationMs)),
            ("enable_lazy_state", options.lazy_state.map(Value::Flag)),
            ("retry_policy.initial_interval", retry.initial_interval_ms.map(Value::DurationMs)),
            ("retry_policy.max_interval", retry.max_interval_ms.map(Value::DurationMs)),
            (
                "retry_policy.exponentiation_factor",
                retry.factor_thousandths.map(Value::Thousandths),
            ),
            (
                "retry_policy.max_attempts",
                retry.max_attempts.map(|attempts| Value::Number(u64::from(attempts))),
            ),
            (
                "retry_policy.on_max_attempts",
                retry.on_max_attempts.map(|last| match last {
                    OnMaxAttempts::Pause => Value::Text("Pause"),
                    OnMaxAttempts::Kill => Value::Text("Kill"),
                }),
            ),
        ];
        for (setting, value) in settings {
            self.add_some(Rank::Settings, format!("{of}.{setting}"), value);
        }
    }
}
