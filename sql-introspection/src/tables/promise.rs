//! Durable promises of workflows.

use std::borrow::Cow;

use bytes::Bytes;

use crate::{
    column::Column,
    json,
    source::Record,
    table::{Table, TableInfo},
};

use super::object::{ObjectFilter, PUSHED, Whole, filter};

/// A promise.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns document them")]
pub struct Promise {
    pub partition_key: u64,
    pub service: String,
    pub service_key: String,
    pub key: String,
    /// `None` until it is completed; a failure as `[code] message`.
    pub result: Option<Result<Bytes, String>>,
    pub waiting: u32,
}

impl Record for Promise {
    type Filter = ObjectFilter;
    type Part = Whole;
}

impl Promise {
    fn value(&self) -> Option<&[u8]> {
        self.result.as_ref()?.as_ref().ok().map(|value| &value[..])
    }
}

/// `sys_promise`.
pub(crate) fn sys_promise() -> Table<Promise> {
    Table {
        info: TableInfo {
            name: "sys_promise",
            comment: "Promises of workflows that are awaited or completed.",
            pushed: PUSHED,
            is_partitioned: true,
        },
        columns: vec![
            Column::partition_key(|it: &Promise| Some(it.partition_key)),
            Column::no_text("scope", "Always null: promises belong to no scope."),
            Column::text("service_name", "Name of the workflow's service.", |it| {
                Some((&it.service).into())
            }),
            Column::text("service_key", "Key of the workflow.", |it| {
                Some((&it.service_key).into())
            }),
            Column::text("key", "Name of the promise.", |it| Some((&it.key).into())),
            Column::bool("completed", "Whether it is completed.", |it| Some(it.result.is_some())),
            Column::bytes("completion_success_value", "Its value.", Promise::value).large(),
            Column::text(
                "completion_success_value_utf8",
                "Its value, if it is UTF-8.",
                |it: &Promise| std::str::from_utf8(it.value()?).ok().map(Cow::from),
            )
            .large(),
            Column::text("completion_failure", "Its failure, as [code] message.", |it| {
                it.result.as_ref()?.as_ref().err().map(Cow::from)
            }),
            Column::text(
                "completion_success_value_json",
                "Its value, if it is JSON.",
                |it: &Promise| json::checked(it.value()?).map(Cow::from),
            )
            .large(),
            Column::u32("waiting", "How many invocations wait for it.", |it| Some(it.waiting)),
        ],
        filter,
        order: |_| None,
    }
}
