//! `sys_journal_events`: what happened beside journals, as comparable servers show it.

use serde_json::{Map, Value};

use crate::{
    column::Column,
    source::Record,
    table::{Table, TableInfo},
};

use super::{attempt::Failed, journal::OfInvocations, object::Whole};

/// Something that happened to an invocation. Times are milliseconds since the epoch.
#[derive(Debug, Clone)]
pub struct Event {
    /// The partition key of the invocation.
    pub partition_key: u64,
    /// The invocation.
    pub invocation: String,
    /// When it happened.
    pub at: u64,
    /// The number of journal entries at that time.
    pub journal_len: u32,
    /// What happened.
    pub what: What,
}

/// What happened to an invocation.
#[derive(Debug, Clone)]
pub enum What {
    /// An attempt failed.
    Failed(Failed),
    /// It was paused.
    Paused {
        /// Who asked for it, and why; `None` if its last failure did.
        by: Option<(String, Option<String>)>,
    },
    /// It was resumed.
    Resumed {
        /// Who asked for it, and why.
        by: (String, Option<String>),
        /// The deployment that it was moved to.
        onto: Option<String>,
    },
    /// It was asked to end.
    CancelRequested {
        /// Who asked for it, and why.
        by: (String, Option<String>),
    },
    /// It was killed.
    Killed {
        /// Who asked for it, and why.
        by: (String, Option<String>),
    },
    /// It was restarted, after it had ended.
    RestartedAs {
        /// Who asked for it, and why.
        by: (String, Option<String>),
        /// The new invocation.
        invocation: String,
    },
    /// It began as the restart of another one.
    RestartedFrom {
        /// Who asked for it, and why.
        by: (String, Option<String>),
        /// The old invocation.
        invocation: String,
    },
    /// An edit of the state of its key waits until it ends.
    StateEditQueued {
        /// Who asked for it, and why.
        by: (String, Option<String>),
    },
}

impl Record for Event {
    type Filter = OfInvocations;
    type Part = Whole;
}

/// `sys_journal_events`.
pub(crate) fn sys_journal_events() -> Table<Event> {
    Table {
        info: TableInfo {
            name: "sys_journal_events",
            comment: "What happened beside journals: attempts that failed, and what operators did; the last 16 of each invocation.",
            pushed: &["id"],
            is_partitioned: true,
        },
        columns: vec![
            Column::partition_key(|it: &Event| Some(it.partition_key)),
            Column::text("id", "The invocation.", |it| Some((&it.invocation).into())),
            Column::u32(
                "after_journal_entry_index",
                "The last entry of the journal at that time.",
                |it| it.journal_len.checked_sub(1),
            ),
            Column::time("appended_at", "When it happened.", |it| Some(it.at)),
            Column::text(
                "event_type",
                "TransientError: an attempt failed; Paused; Resumed; CancelRequested; Killed; RestartedAs; RestartedFrom; StateEditQueued: an edit of its key's state waits until it ends.",
                |it| Some(it.what.word().into()),
            ),
            Column::text("event_json", "What happened.", |it| Some(it.what.json().into())),
        ],
        filter: |constraints| OfInvocations { ids: constraints.texts("id") },
        order: |_| None,
    }
}

impl What {
    fn word(&self) -> &'static str {
        match self {
            Self::Failed(_) => "TransientError",
            Self::Paused { .. } => "Paused",
            Self::Resumed { .. } => "Resumed",
            Self::CancelRequested { .. } => "CancelRequested",
            Self::Killed { .. } => "Killed",
            Self::RestartedAs { .. } => "RestartedAs",
            Self::RestartedFrom { .. } => "RestartedFrom",
            Self::StateEditQueued { .. } => "StateEditQueued",
        }
    }

    fn json(&self) -> String {
        let mut fields = Map::new();
        let mut add = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        add("ty", Some(self.word().into()));
        if let Some((operator, reason)) = self.by() {
            add("operator", Some(operator.as_str().into()));
            add("reason", reason.as_deref().map(Value::from));
        }
        match self {
            // The fields are those of comparable servers.
            Self::Failed(failed) => {
                add("error_code", Some(failed.code.into()));
                add("error_message", Some(failed.message.as_str().into()));
                let stacktrace = Some(failed.stacktrace.as_str()).filter(|it| !it.is_empty());
                add("error_stacktrace", stacktrace.map(Value::from));
                add("restate_doc_error_code", failed.error_code.as_deref().map(Value::from));
                add("related_command_index", failed.command_index.map(Value::from));
                add("related_command_name", failed.command_name.as_deref().map(Value::from));
                add("related_command_type", failed.command_type.as_deref().map(Value::from));
            }
            Self::Resumed { onto, .. } => add("deployment", onto.as_deref().map(Value::from)),
            Self::RestartedAs { invocation, .. } | Self::RestartedFrom { invocation, .. } => {
                add("invocation", Some(invocation.as_str().into()));
            }
            Self::Paused { .. }
            | Self::CancelRequested { .. }
            | Self::Killed { .. }
            | Self::StateEditQueued { .. } => (),
        }
        Value::Object(fields).to_string()
    }

    /// Who asked for it, and why.
    fn by(&self) -> Option<&(String, Option<String>)> {
        match self {
            Self::Failed(_) => None,
            Self::Paused { by } => by.as_ref(),
            Self::Resumed { by, .. }
            | Self::CancelRequested { by }
            | Self::Killed { by }
            | Self::RestartedAs { by, .. }
            | Self::RestartedFrom { by, .. }
            | Self::StateEditQueued { by } => Some(by),
        }
    }
}
