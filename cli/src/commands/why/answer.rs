//! What the admin API answers.

use serde::Deserialize;

/// Whether something goes on by itself. The later ones are worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Moving,
    Waiting,
    Stuck,
}

/// An answer about anything.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Answer {
    Key {
        #[serde(flatten)]
        chain: Chain,
        invocations: Groups,
    },
    Invocation(Chain),
    Groups(Groups),
}

#[derive(Debug, Deserialize)]
pub(super) struct Chain {
    pub(super) subject: Subject,
    pub(super) asked_at: String,
    pub(super) verdict: Verdict,
    pub(super) links: Vec<Link>,
    #[serde(default)]
    pub(super) omitted: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Subject {
    pub(super) id: Option<String>,
    pub(super) target: Option<String>,
    pub(super) status: Option<String>,
    pub(super) service: Option<String>,
    pub(super) key: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Link {
    pub(super) position: u64,
    pub(super) parent: Option<u64>,
    pub(super) subject: Subject,
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
    pub(super) detail: String,
    pub(super) waits_for: Option<String>,
    pub(super) same_as: Option<u64>,
    pub(super) cause: Option<Cause>,
    #[serde(default)]
    pub(super) advice: Vec<Advice>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cause {
    pub(super) verdict: Verdict,
    pub(super) message: String,
    pub(super) kind: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Advice {
    pub(super) text: String,
    pub(super) command: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Groups {
    pub(super) verdict: Verdict,
    pub(super) groups: Vec<Group>,
    pub(super) is_complete: bool,
    pub(super) read: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Group {
    pub(super) kind: String,
    pub(super) count: u64,
    pub(super) oldest: Chain,
}

impl Answer {
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Key { chain, invocations } => chain.verdict.max(invocations.verdict),
            Self::Invocation(chain) => chain.verdict,
            Self::Groups(groups) => groups.verdict,
        }
    }
}

/// What it is, then which one.
impl Subject {
    pub(super) fn name(&self) -> String {
        let key = match (&self.service, &self.key) {
            (Some(service), Some(key)) => Some(format!("{service}/{key}")),
            (_, _) => None,
        };
        let parts = [&self.target, &self.id, &key];
        let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        parts.join(" ")
    }
}
