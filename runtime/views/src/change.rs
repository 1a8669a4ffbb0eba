//! What has just changed, for those who follow it: which invocation entered which status, and which
//! state entry was written.

use std::collections::HashMap;

use protocol::{InvocationId, Target};
use runtime_core::{
    Lsn,
    effect::Effect,
    model::invocation::{Invocation, StatusKind},
    tables::{Key, Row, changed::Changed},
};

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An invocation entered a status.
    Status {
        /// Its id.
        id: InvocationId,
        /// The handler that it runs.
        target: Target,
        /// The status. Those that it passed through on the way are not reported.
        status: StatusKind,
    },
    /// A state entry was written or removed.
    State {
        /// Name of the virtual object's or workflow's service.
        service: String,
        /// Key of the virtual object or workflow.
        key: String,
        /// The state key; bytes that are not UTF-8 are replaced.
        name: String,
        /// Whether it has a value now.
        is_set: bool,
    },
}

impl Change {
    /// The changes of a batch, from the rows that are different after it and from its effects. That
    /// an invocation has ended is in an effect, since its row may be gone already.
    pub fn of_batch<'a>(
        rows: impl Iterator<Item = (&'a Key, Option<&'a Row>)>,
        effects: &[Effect],
    ) -> Vec<Self> {
        let mut invocations: HashMap<Lsn, &Invocation> = HashMap::new();
        let (mut entered, mut changes) = (Vec::new(), Vec::new());
        for (key, row) in rows {
            match Changed::of(key, row) {
                Some(Changed::Invocation(lsn, row)) => _ = invocations.insert(lsn, row),
                Some(Changed::Entered(_, StatusKind::Completed)) | None => (),
                Some(Changed::Entered(lsn, kind)) => entered.push((lsn, kind)),
                Some(Changed::State { service, key, state_key, is_set }) => {
                    let name = String::from_utf8_lossy(&state_key).into_owned();
                    changes.push(Self::State { service, key, name, is_set });
                }
            }
        }
        for (lsn, status) in entered {
            // Both rows change together.
            if let Some(row) = invocations.get(&lsn) {
                changes.push(Self::Status { id: row.id, target: row.target.clone(), status });
            }
        }
        for effect in effects {
            if let Effect::Completed { id, completion } = effect {
                let (id, target) = (*id, completion.target.clone());
                changes.push(Self::Status { id, target, status: StatusKind::Completed });
            }
        }
        changes
    }

    /// The memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let texts = match self {
            Self::Status { target, .. } => [&target.service, &target.key, &target.handler],
            Self::State { service, key, name, .. } => [service, key, name],
        };
        size_of::<Self>() + texts.iter().map(|text| text.len()).sum::<usize>()
    }
}

/// Which changes to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    kind: Kind,
    service: Option<String>,
    key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Invocations,
    State,
}

/// A topic that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no channel \"{0}\": follow \"invocations\" or \"state\", of one service \
     (\"state:SERVICE\") or of one key (\"state:SERVICE/KEY\")"
)]
pub struct NoSuchTopic(pub String);

impl Topic {
    /// Parses `invocations` or `state`, optionally followed by `:SERVICE` or `:SERVICE/KEY`.
    ///
    /// # Errors
    /// Returns an error if the text is something else.
    pub fn parse(text: &str) -> Result<Self, NoSuchTopic> {
        let (kind, of) = match text.split_once(':') {
            Some((kind, of)) => (kind, Some(of)),
            None => (text, None),
        };
        let kind = match kind {
            "invocations" => Kind::Invocations,
            "state" => Kind::State,
            _ => return Err(NoSuchTopic(text.to_owned())),
        };
        let (service, key) = match of.map(|of| of.split_once('/').unwrap_or((of, ""))) {
            None => (None, None),
            Some(("", _)) => return Err(NoSuchTopic(text.to_owned())),
            Some((service, "")) => (Some(service.to_owned()), None),
            Some((service, key)) => (Some(service.to_owned()), Some(key.to_owned())),
        };
        Ok(Self { kind, service, key })
    }

    /// Whether it includes a change.
    pub fn includes(&self, change: &Change) -> bool {
        let (kind, of, key) = match change {
            Change::Status { target, .. } => (Kind::Invocations, &target.service, &target.key),
            Change::State { service, key, .. } => (Kind::State, service, key),
        };
        kind == self.kind
            && self.service.as_ref().is_none_or(|service| service == of)
            && self.key.as_ref().is_none_or(|wanted| wanted == key)
    }
}
