//! What operators have asked for.

use runtime_schema::headers;
use runtime_views::{
    audit::{
        self, AuditEntry, AuditedChange, AuditedEdit, ChangeOutcome, ChangedEntry, ChangedFact,
        EditOutcome, FactValue, Operation, Outcome, RegistryVerb, Restart, Sample, StateSummary,
        Stranded,
    },
    duration, text,
};
use serde_json::{Map, Value, json};
use sql_introspection::{
    Scan, Unavailable,
    source::{Cursor, Direction, Page, PageLimit, Wanted},
    tables::{
        Audited,
        audit::{StateSize, Target},
    },
};

use super::{Snapshot, budget, cursor, order, page};

impl Scan<Audited> for Snapshot {
    fn scan(
        &self,
        partition: u16,
        wanted: &Wanted<Audited>,
        after: Option<&Cursor>,
        limit: PageLimit,
    ) -> Result<Page<Audited>, Unavailable> {
        let order = order(wanted.order.unwrap_or(Direction::Ascending));
        let list = audit::List { order, after: cursor(after), budget: budget(limit) };
        Ok(page(self.read(partition, list)?, |entry| match entry {
            AuditEntry::Operation(of) => operation(*of),
            AuditEntry::StateEdit(of) => state_edit(*of),
            AuditEntry::Change(of) => registry_change(*of),
        }))
    }
}

fn operation(of: audit::Audited) -> Audited {
    let mut from_entry = None;
    let (operation, onto) = match of.operation {
        Operation::Cancel => ("cancel", None),
        Operation::Kill => ("kill", None),
        Operation::Purge => ("purge", None),
        Operation::PurgeJournal => ("purge-journal", None),
        Operation::Pause => ("pause", None),
        Operation::Resume { onto } => ("resume", onto),
        Operation::RestartAsNew(Restart { from, pin, .. }) => {
            from_entry = Some(from);
            ("restart-as-new", pin.map(|pin| pin.deployment))
        }
    };
    let new_invocation =
        if let Outcome::Restarted(id) = of.outcome { Some(id.to_string()) } else { None };
    let target = of.target.map(|target| Target {
        path: target.to_string(),
        service: target.service,
        key: target.key,
    });
    Audited {
        at: of.at.0,
        asked_at: of.at.0,
        operator: of.operator.name,
        reason: of.operator.reason,
        operation,
        deployment: onto.map(|id| id.to_string()),
        invocation: Some(of.invocation.to_string()),
        target,
        status: of.status.map(text::status),
        outcome: match of.outcome {
            Outcome::Done | Outcome::Restarted(_) => "done",
            Outcome::Requested => "requested",
            Outcome::NotFound => "not-found",
            Outcome::Refused(_) => "refused",
            Outcome::NotPinned => "not-pinned",
            Outcome::NotRestartable(_) => "not-restartable",
        },
        before: None,
        after: None,
        changes: None,
        new_invocation,
        from_entry,
        is_forced: None,
        stranded: None,
    }
}

fn state_edit(of: AuditedEdit) -> Audited {
    let changes = of.after.is_some().then(|| changes(&of.changes, of.changes_omitted));
    let (outcome, behind) = match of.outcome {
        EditOutcome::Done => ("done", None),
        EditOutcome::Conflict => ("conflict", None),
        EditOutcome::Queued { behind } => ("queued", Some(behind)),
        EditOutcome::TooMany => ("too-many", None),
    };
    Audited {
        at: of.at.0,
        asked_at: of.asked_at.0,
        operator: of.operator.name,
        reason: of.operator.reason,
        operation: if of.is_replacement { "replace-state" } else { "patch-state" },
        deployment: None,
        invocation: behind.map(|id| id.to_string()),
        target: Some(Target {
            path: format!("{}/{}", of.service, of.key),
            service: of.service,
            key: of.key,
        }),
        status: None,
        outcome,
        before: of.before.map(size),
        after: of.after.map(size),
        changes,
        new_invocation: None,
        from_entry: None,
        is_forced: None,
        stranded: None,
    }
}

fn registry_change(of: AuditedChange) -> Audited {
    let (operation, service, is_forced) = match of.verb {
        RegistryVerb::Register { replace, .. } => ("register-deployment", None, Some(replace)),
        RegistryVerb::Update { overwrite } => ("update-deployment", None, Some(overwrite)),
        RegistryVerb::Configure { service } => ("configure-service", Some(service), None),
        RegistryVerb::Remove { force } => ("remove-deployment", None, Some(force)),
    };
    let is_done = of.outcome == ChangeOutcome::Done;
    let changes = is_done.then(|| facts(&of.changes, of.changes_omitted));
    let stranded = stranded(&of.stranded, of.stranded_omitted);
    Audited {
        at: of.at.0,
        asked_at: of.at.0,
        operator: of.operator.name,
        reason: of.operator.reason,
        operation,
        deployment: of.deployment.map(|id| id.to_string()),
        invocation: None,
        target: service.map(|service| Target {
            path: service.clone(),
            service,
            key: String::new(),
        }),
        status: None,
        outcome: match of.outcome {
            ChangeOutcome::Done => "done",
            ChangeOutcome::AlreadyRegistered => "already-registered",
            ChangeOutcome::KindChanged => "kind-changed",
            ChangeOutcome::NotFound => "not-found",
            ChangeOutcome::AddressTaken => "address-taken",
            ChangeOutcome::Lost => "lost",
            ChangeOutcome::NotAWorkflow => "not-a-workflow",
        },
        before: None,
        after: None,
        changes,
        new_invocation: None,
        from_entry: None,
        is_forced,
        stranded,
    }
}

/// What is different in the registry, in the form of [`changes`].
fn facts(kept: &[ChangedFact], omitted: u64) -> String {
    let value = |it: &Option<FactValue>| it.as_ref().map_or(Value::Null, fact);
    let kept = kept.iter().map(|changed| {
        json!({
            "key": changed.key,
            "before": value(&changed.before),
            "after": value(&changed.after),
        })
    });
    let omitted = (omitted > 0).then(|| json!({ "omitted": omitted }));
    Value::from_iter(kept.chain(omitted)).to_string()
}

#[expect(clippy::cast_precision_loss, reason = "a factor is a small number")]
fn fact(of: &FactValue) -> Value {
    match of {
        FactValue::Text(text) => sample(text),
        FactValue::Number(number) => (*number).into(),
        FactValue::DurationMs(ms) => duration::friendly(*ms).into(),
        FactValue::Thousandths(thousandths) => (*thousandths as f64 / 1000.0).into(),
        FactValue::Flag(flag) => (*flag).into(),
        FactValue::Secret => headers::MASKED.into(),
    }
}

/// The invocations that were left behind, by service and status.
fn stranded(kept: &[Stranded], omitted: u64) -> Option<String> {
    let mut services: Map<String, Value> = Map::new();
    for Stranded { service, status, count } in kept {
        let counts = services.entry(service.clone()).or_insert_with(|| json!({}));
        counts[text::status(*status)] = (*count).into();
    }
    if omitted > 0 {
        services.insert("omitted".to_owned(), omitted.into());
    }
    (!services.is_empty()).then(|| Value::Object(services).to_string())
}

/// What has changed. The last element counts the changes that the audit had no space for.
fn changes(kept: &[ChangedEntry], omitted: u64) -> String {
    let value = |it: &Option<Sample>| it.as_ref().map_or(Value::Null, sample);
    let kept = kept.iter().map(|change| {
        json!({
            "key": sample(&change.key),
            "before": value(&change.before),
            "after": value(&change.after),
        })
    });
    let omitted = (omitted > 0).then(|| json!({ "omitted": omitted }));
    Value::from_iter(kept.chain(omitted)).to_string()
}

fn sample(of: &Sample) -> Value {
    match of {
        Sample::Whole(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => json!({ "hex": hex(bytes) }),
        },
        Sample::Hashed { bytes, sha256 } => json!({ "bytes": bytes, "sha256": hex(sha256) }),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn size(of: StateSummary) -> StateSize {
    StateSize { version: of.version.to_string(), bytes: of.bytes }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn changes_are_shown_as_text_where_they_are_text() {
        let whole = |bytes: &'static [u8]| Sample::Whole(Bytes::from_static(bytes));
        let kept = [
            ChangedEntry { key: whole(b"a"), before: None, after: Some(whole(b"1")) },
            ChangedEntry {
                key: whole(b"b"),
                before: Some(Sample::Hashed { bytes: 2000, sha256: [0xab; 32] }),
                after: Some(whole(b"\xff")),
            },
        ];
        let shown: Value = serde_json::from_str(&changes(&kept, 7)).unwrap();
        let expected = json!([
            { "key": "a", "before": null, "after": "1" },
            {
                "key": "b",
                "before": { "bytes": 2000, "sha256": "ab".repeat(32) },
                "after": { "hex": "ff" },
            },
            { "omitted": 7 },
        ]);
        assert_eq!(shown, expected);
    }
}
