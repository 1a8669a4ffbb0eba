//! State of virtual objects and workflows.

use std::borrow::Cow;

use bytes::Bytes;

use crate::{
    column::Column,
    json,
    pushdown::Constraints,
    source::Record,
    table::{Table, TableInfo},
};

use super::object::{ObjectFilter, Whole};

/// A state entry.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns document them")]
pub struct State {
    pub partition_key: u64,
    pub service: String,
    /// Name that old clients know the service by, if it differs.
    pub alias: Option<String>,
    pub object_key: String,
    pub key: Bytes,
    pub value: Bytes,
}

impl Record for State {
    type Filter = ObjectFilter;
    type Part = Whole;
}

fn text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    std::str::from_utf8(bytes).ok().map(Cow::from)
}

/// `state`.
pub(crate) fn state() -> Table<State> {
    Table {
        info: TableInfo {
            name: "state",
            comment: "State of virtual objects and workflows, a row for each entry.",
            pushed: &["service_name", "service", "service_key", "service_key_utf8"],
            is_partitioned: true,
        },
        columns: vec![
            Column::partition_key(|it: &State| Some(it.partition_key)),
            Column::no_text("scope", "Always null: state belongs to no scope."),
            Column::text("service_name", "Name of the service.", |it| Some((&it.service).into())),
            Column::text("service_key", "Key of the virtual object or workflow.", |it| {
                Some((&it.object_key).into())
            }),
            Column::text("key", "The state key, if it is UTF-8.", |it| text(&it.key)),
            Column::u64("key_length", "Bytes in the state key.", |it| Some(it.key.len() as u64)),
            Column::text("value_utf8", "The value, if it is UTF-8.", |it: &State| text(&it.value))
                .large(),
            Column::bytes("value", "The value.", |it: &State| Some(&it.value)).large(),
            Column::u64("value_length", "Bytes in the value.", |it| Some(it.value.len() as u64)),
            Column::bytes("key_bytes", "The state key.", |it| Some(&it.key)),
            Column::text(
                "value_json",
                "The value, if it is JSON: value_json ->> 'field'.",
                |it: &State| json::checked(&it.value).map(Cow::from),
            )
            .large(),
            Column::text(
                "service",
                "As older servers name it: the service's alias, or its name.",
                |it| Some(it.alias.as_deref().unwrap_or(&it.service).into()),
            ),
            Column::text(
                "service_key_utf8",
                "As older servers name it: the key of the object.",
                |it| Some((&it.object_key).into()),
            ),
        ],
        filter: |constraints: &Constraints| ObjectFilter {
            services: constraints.texts("service_name"),
            aliases: constraints.texts("service"),
            keys: constraints
                .texts("service_key")
                .or_else(|| constraints.texts("service_key_utf8")),
        },
        order: |_| None,
    }
}
