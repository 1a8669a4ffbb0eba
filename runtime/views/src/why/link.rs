//! Links of a chain: who waits, for what, since when, and what would help.

use runtime_core::{model::invocation::StatusKind, time::Timestamp};

use super::{Kind, Subject};

/// How much of a text that others have chosen a link shows, in bytes: enough for a message.
pub const TEXT_BYTES_MAX: usize = 1 << 10;

/// One thing that a subject waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its position in the chain, from 1.
    pub position: usize,
    /// The position of the link that leads to its subject; `None` for what was asked about.
    pub parent: Option<usize>,
    /// How many links lead to it.
    pub depth: usize,
    /// Who waits.
    pub subject: Subject,
    /// If that is an invocation: what it runs, as `service/key/handler`.
    pub target: Option<String>,
    /// If that is an invocation: its status.
    pub status: Option<StatusKind>,
    /// What it waits for.
    pub kind: Kind,
    /// Whether it can go on without.
    pub need: Need,
    /// Since when it is in that state.
    pub since: Option<Timestamp>,
    /// When that ends by itself, if it does.
    pub until: Option<Timestamp>,
    /// The same for people: what follows the name of the subject in a sentence.
    pub detail: String,
    /// Who it waits for, if that is known.
    pub waits_for: Option<Subject>,
    /// The position of the link that says first what `waits_for` waits for, if that is another
    /// part of the chain.
    pub same_as: Option<usize>,
    /// Why it does not go on, at the end of a chain.
    pub cause: Option<Cause>,
    /// What would help, the most useful first.
    pub advice: Vec<Advice>,
}

/// Whether a subject can go on without something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It cannot.
    Required,
    /// Something else may come first, and it goes on with that.
    Alternative,
    /// Its handler has asked for it and runs: it may wait for it by now, or do something else.
    Possible,
}

/// Why something does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What kind of cause: that of the link, or how several of them form a cycle.
    pub kind: Kind,
    /// The same for people, as a sentence without a full stop.
    pub message: String,
}

/// A next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// What it is for.
    pub text: String,
    /// A command for a shell.
    pub command: Option<String>,
}

impl Need {
    /// Its name in the APIs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Alternative => "alternative",
            Self::Possible => "possible",
        }
    }
}

impl Link {
    /// Its subject as a sentence names it: the id of an invocation does not say what it is.
    pub fn name(&self) -> String {
        match &self.target {
            Some(target) => format!("{target} ({})", self.subject),
            None => self.subject.to_string(),
        }
    }
}
