//! Editing the state of a virtual object or workflow key. Each edit is kept in the audit, with its
//! reason and what it has changed.

mod value;

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode};
use bytes::Bytes;
use protocol::{ServiceKind, StateVersion};
use runtime_core::{
    model::state_edit::{EditOutcome, StateChange, StateEdit, StateSummary},
    tables::waiting_edit::{WAITING_BYTES_MAX, WAITING_MAX},
};
use runtime_partition::budget::Held;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Admin,
    error::{ErrorBody, Refusal, Thing},
    extract::{Json, LargeJson, Path, Query},
    operator::{Said, operator},
    text,
};
pub use value::StateValue;

/// A new state.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
pub struct Replacement {
    /// Key of the virtual object or workflow.
    pub object_key: String,
    /// All entries: each value as a list of its bytes, or as text.
    #[schema(value_type = BTreeMap<String, Vec<u8>>)]
    pub new_state: BTreeMap<String, StateValue>,
    /// The version of the state that is to be replaced. Whatever it is, when absent.
    pub version: Option<String>,
    /// A scope. There are none here.
    pub scope: Option<String>,
}

/// Changes of some entries. All others stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
pub struct Patch {
    /// Key of the virtual object or workflow.
    pub object_key: String,
    /// Entries to set: each value as a list of its bytes, or as text.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Vec<u8>>)]
    pub set: BTreeMap<String, StateValue>,
    /// Entries to remove.
    #[serde(default)]
    pub clear: Vec<String>,
    /// The version of the state that is to be changed. Whatever it is, when absent.
    pub version: Option<String>,
}

/// What has become of an edit.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Edited {
    /// `applied`, or `queued` until no invocation holds the key. `sys_audit` then says what has
    /// become of it.
    pub outcome: &'static str,
    /// If it is queued: the invocation that holds the key now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<String>,
    /// If it is applied: the version of the state now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Replaces the state of a key.
#[utoipa::path(
    post, path = "/services/{service}/state", params(Said), request_body = Replacement,
    responses(
        (status = 202, body = Edited), (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "the state has another version"),
        (status = 429, body = ErrorBody, description = "too many edits of the key wait")
    )
)]
pub async fn replace(
    State(admin): State<Admin>,
    Path(service): Path<String>,
    Query(said): Query<Said>,
    LargeJson { value, held }: LargeJson<Replacement>,
) -> Result<(StatusCode, Json<Edited>), Refusal> {
    if value.scope.is_some() {
        let why = "'scope': this server does not support it yet: state within scopes";
        return Err(Refusal::NotImplemented(why.to_owned()));
    }
    let change = StateChange::Replace(entries(value.new_state));
    let edit = edit(service, value.object_key, change, value.version)?;
    apply(&admin, held, said, edit).await
}

/// Sets and removes some entries of the state of a key.
#[utoipa::path(
    patch, path = "/services/{service}/state", params(Said), request_body = Patch,
    responses(
        (status = 202, body = Edited), (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 413, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "the state has another version"),
        (status = 429, body = ErrorBody, description = "too many edits of the key wait")
    )
)]
pub async fn patch(
    State(admin): State<Admin>,
    Path(service): Path<String>,
    Query(said): Query<Said>,
    LargeJson { value, held }: LargeJson<Patch>,
) -> Result<(StatusCode, Json<Edited>), Refusal> {
    let Patch { object_key, set, clear, version } = value;
    let edit = edit(service, object_key, patch_of(set, clear)?, version)?;
    apply(&admin, held, said, edit).await
}

fn patch_of(set: BTreeMap<String, StateValue>, clear: Vec<String>) -> Result<StateChange, Refusal> {
    if set.is_empty() && clear.is_empty() {
        let why = "there is nothing to do: neither 'set' nor 'clear' names an entry";
        return Err(Refusal::BadRequest(why.to_owned()));
    }
    if let Some(both) = clear.iter().find(|key| set.contains_key(*key)) {
        let both = text::shown(both);
        return Err(Refusal::BadRequest(format!("'{both}' is in both 'set' and 'clear'")));
    }
    let clear = clear.into_iter().map(Bytes::from).collect();
    Ok(StateChange::Patch { set: entries(set), clear })
}

fn entries(of: BTreeMap<String, StateValue>) -> Vec<(Bytes, Bytes)> {
    of.into_iter().map(|(key, StateValue(value))| (Bytes::from(key), value)).collect()
}

fn edit(
    service: String,
    key: String,
    change: StateChange,
    version: Option<String>,
) -> Result<StateEdit, Refusal> {
    if key.is_empty() {
        return Err(Refusal::BadRequest("'object_key' is empty, and no key is".to_owned()));
    }
    let expected = version.as_deref().map(str::parse::<StateVersion>).transpose();
    let expected = expected.map_err(|error| Refusal::BadRequest(format!("'version': {error}")))?;
    Ok(StateEdit { service, key, change, expected })
}

async fn apply(
    admin: &Admin,
    held: Option<Held>,
    said: Said,
    edit: StateEdit,
) -> Result<(StatusCode, Json<Edited>), Refusal> {
    let operator = operator(said.reason)?;
    let kind = admin.registry.snapshot().service(&edit.service).map(|it| it.definition().kind);
    match kind {
        Some(ServiceKind::VirtualObject | ServiceKind::Workflow) => (),
        Some(ServiceKind::Service) => {
            let service = text::shown(&edit.service);
            return Err(Refusal::BadRequest(format!(
                "'{service}' is a plain service: only virtual objects and workflows have state"
            )));
        }
        None => return Err(Refusal::NotFound { what: Thing::Service, name: edit.service }),
    }
    let name = format!("{}/{}", text::shown(&edit.service), text::shown(&edit.key));
    let expected = edit.expected;
    let (outcome, state) = admin.partitions.edit_state(held, operator, Box::new(edit)).await?;
    let edited = edited(&name, outcome, expected, state)?;
    Ok((StatusCode::ACCEPTED, Json(edited)))
}

fn edited(
    name: &str,
    outcome: EditOutcome,
    expected: Option<StateVersion>,
    state: Option<StateSummary>,
) -> Result<Edited, Refusal> {
    let version = state.map_or_else(String::new, |state| state.version.to_string());
    match outcome {
        EditOutcome::Done => {
            Ok(Edited { outcome: "applied", behind: None, version: Some(version) })
        }
        EditOutcome::Queued { behind } => {
            Ok(Edited { outcome: "queued", behind: Some(behind.to_string()), version: None })
        }
        EditOutcome::Conflict => {
            let expected = expected.map_or_else(String::new, |expected| expected.to_string());
            Err(Refusal::Conflict(format!(
                "the state of {name} has version {version}, not {expected}: it has changed since \
                 it was read; read it again, and edit that"
            )))
        }
        EditOutcome::TooMany => Err(Refusal::TooMany(format!(
            "an invocation holds {name}, and with this edit, more would wait for it than may: \
             {WAITING_MAX}, of {} MiB together; sys_locks says which invocation it is",
            WAITING_BYTES_MAX >> 20
        ))),
    }
}

#[cfg(test)]
mod tests {
    use protocol::InvocationId;

    use super::*;

    #[test]
    fn a_patch_has_to_say_one_thing_of_each_entry() {
        let of = |json: &str| {
            let Patch { set, clear, .. } = serde_json::from_str(json).unwrap();
            patch_of(set, clear).map_err(|refusal| refusal.to_string())
        };
        let good = of(r#"{"object_key":"k","set":{"a":"1"},"clear":["b"]}"#).unwrap();
        let (a, b) = ((Bytes::from("a"), Bytes::from("1")), Bytes::from("b"));
        assert_eq!(good, StateChange::Patch { set: vec![a], clear: vec![b] });
        assert!(of(r#"{"object_key":"k"}"#).unwrap_err().contains("nothing to do"));
        let both = of(r#"{"object_key":"k","set":{"a":"1"},"clear":["a"]}"#).unwrap_err();
        assert!(both.contains("'a' is in both"), "{both}");
    }

    #[test]
    fn a_version_that_is_none_is_refused_and_an_empty_key_too() {
        let of = |key: &str, version: &str| {
            let change = StateChange::Replace(Vec::new());
            let version = Some(version.to_owned());
            edit("Counter".to_owned(), key.to_owned(), change, version)
                .map_err(|refusal| refusal.to_string())
        };
        let empty = StateVersion::of::<&[u8]>([]);
        assert_eq!(of("k", &empty.to_string()).unwrap().expected, Some(empty));
        assert!(of("k", "7").unwrap_err().contains("'version': it is not 32 bytes"));
        assert!(of("", &empty.to_string()).unwrap_err().contains("'object_key' is empty"));
    }

    #[test]
    fn the_answer_says_what_has_become_of_it() {
        let version = StateVersion::of([("a", "1")]);
        let state = Some(StateSummary { version, entries: 1, bytes: 2 });
        let said = |outcome, expected, state| match edited("Counter/k", outcome, expected, state) {
            Ok(edited) => serde_json::to_string(&edited).unwrap(),
            Err(refusal) => refusal.to_string(),
        };
        let done = said(EditOutcome::Done, None, state);
        assert_eq!(done, format!(r#"{{"outcome":"applied","version":"{version}"}}"#));
        let behind = InvocationId { partition_key: protocol::PartitionKey(1), uuid: 1 };
        let queued = said(EditOutcome::Queued { behind }, None, None);
        assert_eq!(queued, format!(r#"{{"outcome":"queued","behind":"{behind}"}}"#));
        let other = StateVersion::of([("a", "2")]);
        let conflict = said(EditOutcome::Conflict, Some(other), state);
        let versions = format!("has version {version}, not {other}:");
        assert!(conflict.contains(&versions), "{conflict}");
        assert!(said(EditOutcome::TooMany, None, None).contains(": 64, of 16 MiB"));
    }
}
