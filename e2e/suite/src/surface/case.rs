//! A request and its answers, and the files that have them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use e2e_harness::programs::root;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A request, what the real server answers, and what ours does where that is something else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it is about.
    pub name: String,
    /// `METHOD admin|ingress path`; `{name}` is what an earlier answer was asked to keep.
    pub ask: String,
    /// Headers of the request; a JSON body has its content type without a word.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A JSON body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// Any other body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What later requests need of the answer: name, and a JSON pointer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keep: BTreeMap<String, String>,
    /// Whether the body is a document of its own, of which only the type is compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub head_only: bool,
    /// Headers that depend on who was faster, and are not compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub races: Vec<String>,
    /// What the real server was seen to answer; absent until it is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Seen>,
    /// What ours answers, if that is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<Seen>,
    /// Why it does so on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// An answer without what is different each time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Its status.
    pub status: u16,
    /// The headers that clients act on.
    pub headers: BTreeMap<String, String>,
    /// Its body: JSON, or text.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub body: Value,
}

/// Cases of one theme, in the order in which they are asked.
#[derive(Debug)]
pub struct File {
    /// Where they are.
    pub path: PathBuf,
    /// The cases.
    pub cases: Vec<Case>,
}

/// The files, in the order in which they are asked: the first registers.
const FILES: [&str; 3] = ["cli.json", "admin.json", "ingress.json"];

/// Reads all files.
///
/// # Errors
/// When one of them cannot be read, or excuses a difference without a reason.
pub fn read_all() -> Result<Vec<File>> {
    let dir = root().join("interop/surface");
    FILES.iter().map(|name| read(dir.join(name))).collect()
}

fn read(path: PathBuf) -> Result<File> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(&path).with_context(|| shown.clone())?;
    let cases: Vec<Case> = serde_json::from_str(&text).with_context(|| shown.clone())?;
    for Case { name, answer, ours, why, .. } in &cases {
        let has_reason = why.as_ref().is_some_and(|why| !why.is_empty());
        ensure!(ours.is_some() == has_reason, "{shown}: {name}: 'ours' and 'why' belong together");
        ensure!(ours.is_none() || ours != answer, "{shown}: {name}: 'ours' is what it should be");
    }
    Ok(File { path, cases })
}

impl File {
    /// Writes the cases back.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.cases)? + "\n";
        std::fs::write(&self.path, text).with_context(|| self.path.display().to_string())
    }
}
