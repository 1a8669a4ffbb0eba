//! What was looked at, and how it is.

use serde::Serialize;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It is as it should be.
    Ok,
    /// It may become a problem, or may be meant.
    Warning,
    /// Something has to be done.
    Problem,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub about: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    /// Something that is as it should be.
    pub fn ok(about: &'static str, found: impl Into<String>) -> Self {
        Self { about, level: Level::Ok, found: found.into(), advice: None }
    }

    /// Something that may become a problem.
    pub fn warning(
        about: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { about, level: Level::Warning, found: found.into(), advice: Some(advice.into()) }
    }

    /// Something that has to be done something about.
    pub fn problem(
        about: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { about, level: Level::Problem, found: found.into(), advice: Some(advice.into()) }
    }
}
