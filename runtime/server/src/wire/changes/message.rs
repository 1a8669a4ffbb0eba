//! What listeners are told, as text. `docs/sql.md` documents it.

use runtime_admin::changes::Event;
use runtime_views::{change::Change, text};
use serde::Serialize;

use super::latest::Notice;

/// What a message says, as JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Message<'a> {
    Status {
        id: String,
        status: &'a str,
        service: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        key: &'a str,
        handler: &'a str,
    },
    State {
        service: &'a str,
        key: &'a str,
        name: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        removed: bool,
    },
    Missed {
        missed: u64,
    },
}

/// The message for a notice.
pub(super) fn of(notice: &Notice) -> Event {
    let (name, message) = match notice {
        Notice::Change(change) => match &**change {
            Change::Status { id, target, status } => (
                "status",
                Message::Status {
                    id: id.to_string(),
                    status: text::status(*status),
                    service: &target.service,
                    key: &target.key,
                    handler: &target.handler,
                },
            ),
            Change::State { service, key, name, is_set } => {
                ("state", Message::State { service, key, name, removed: !is_set })
            }
        },
        Notice::Missed(missed) => ("missed", Message::Missed { missed: *missed }),
    };
    // Plain fields can always be written.
    Event { name, data: serde_json::to_string(&message).unwrap_or_default() }
}
