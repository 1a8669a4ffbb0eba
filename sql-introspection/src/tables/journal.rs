//! Journals.

use std::borrow::Cow;

use bytes::Bytes;
use datafusion::arrow::datatypes::DataType;

use crate::{
    column::Column,
    json,
    source::Record,
    table::{Table, TableInfo},
};

/// An entry of an invocation's journal.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the columns document them")]
pub struct JournalEntry {
    pub partition_key: u64,
    pub invocation: String,
    pub index: u32,
    /// Such as `Command: Call`.
    pub entry_type: String,
    pub name: Option<String>,
    pub invoked_id: Option<String>,
    pub invoked_target: Option<String>,
    pub sleep_wakeup_at: Option<u64>,
    pub promise_name: Option<String>,
    /// Of a read or a write of state, if it is UTF-8.
    pub state_key: Option<String>,
    /// As it is sent over the wire.
    pub raw: Bytes,
    /// The value that it carries: an input, a result, a state value.
    pub value: Option<Bytes>,
    /// The failure that it carries, as `[code] message`.
    pub failure: Option<String>,
    pub appended_at: u64,
    /// If [`Part::Json`] was asked for and the entry can be decoded.
    pub json: Option<String>,
    /// Likewise, for [`Part::LiteJson`].
    pub lite_json: Option<String>,
}

/// What of an entry is left out unless a query asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The decoded entry as JSON.
    Json,
    /// The same without its values.
    LiteJson,
}

/// Of which invocations to read what belongs to them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfInvocations {
    /// Only of these.
    pub ids: Option<Vec<String>>,
}

impl Record for JournalEntry {
    type Filter = OfInvocations;
    type Part = Part;
}

/// `sys_journal`.
pub(crate) fn sys_journal() -> Table<JournalEntry> {
    Table {
        info: TableInfo {
            name: "sys_journal",
            comment: "Journals: a row for each entry.",
            pushed: &["id"],
            is_partitioned: true,
        },
        columns: vec![
            Column::partition_key(|it: &JournalEntry| Some(it.partition_key)),
            Column::text("id", "The invocation.", |it| Some((&it.invocation).into())),
            Column::u32("index", "Position of the entry, from 0.", |it| Some(it.index)),
            Column::text(
                "entry_type",
                "Command: and its type, or Notification: and its type.",
                |it| Some((&it.entry_type).into()),
            ),
            Column::text("name", "Name that the handler gave it.", |it| {
                it.name.as_deref().map(Cow::from)
            }),
            Column::nothing(
                "completed",
                "Always null: a notification of its own says that an entry is completed.",
                DataType::Boolean,
            ),
            Column::text("invoked_id", "The invocation that a call started, once known.", |it| {
                it.invoked_id.as_deref().map(Cow::from)
            }),
            Column::text("invoked_target", "What a call is for.", |it| {
                it.invoked_target.as_deref().map(Cow::from)
            }),
            Column::time("sleep_wakeup_at", "When a sleep ends.", |it| it.sleep_wakeup_at),
            Column::text("promise_name", "The promise that it is about.", |it| {
                it.promise_name.as_deref().map(Cow::from)
            }),
            Column::bytes("raw", "The entry as it is sent over the wire.", |it: &JournalEntry| {
                Some(&it.raw)
            })
            .large(),
            Column::u64("raw_length", "Bytes in raw.", |it| Some(it.raw.len() as u64)),
            Column::u32("version", "Always 2: the version of the journal's format.", |_| Some(2)),
            Column::text(
                "entry_json",
                "The entry as JSON, values as arrays of bytes; of each entry up to 64 KiB.",
                |it: &JournalEntry| it.json.as_deref().map(Cow::from),
            )
            .of(&[Part::Json])
            .large(),
            Column::text(
                "entry_lite_json",
                "The entry as JSON, without values and headers.",
                |it: &JournalEntry| it.lite_json.as_deref().map(Cow::from),
            )
            .of(&[Part::LiteJson]),
            Column::time("appended_at", "When it was stored.", |it| Some(it.appended_at)),
            Column::bytes("value", "The value that it carries.", |it: &JournalEntry| {
                it.value.as_deref()
            })
            .large(),
            Column::text("value_utf8", "The value, if it is UTF-8.", |it: &JournalEntry| {
                std::str::from_utf8(it.value.as_ref()?).ok().map(Cow::from)
            })
            .large(),
            Column::text("value_json", "The value, if it is JSON.", |it: &JournalEntry| {
                json::checked(it.value.as_ref()?).map(Cow::from)
            })
            .large(),
            Column::text("failure", "The failure that it carries, as [code] message.", |it| {
                it.failure.as_deref().map(Cow::from)
            }),
            Column::text("state_key", "The state key that it is about, if it is UTF-8.", |it| {
                it.state_key.as_deref().map(Cow::from)
            }),
        ],
        filter: |constraints| OfInvocations { ids: constraints.texts("id") },
        order: |_| None,
    }
}
