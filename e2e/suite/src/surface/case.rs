//! A request with its expected responses, and the files that store them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use e2e_harness::programs::root;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A request, the response of the real server, and that of ours if it differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What the case tests.
    pub name: String,
    /// `METHOD admin|ingress path`; `{name}` stands for a value kept from an earlier response.
    pub ask: String,
    /// Request headers; a JSON body gets its content type automatically.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A JSON body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// Any other body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Values of the response that later requests need: name, and a JSON pointer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keep: BTreeMap<String, String>,
    /// Whether the body is a separate document, of which only the content type is compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub head_only: bool,
    /// Fields of the body that our response has in addition; they are not compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<String>,
    /// Headers that depend on timing and are not compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub races: Vec<String>,
    /// The response recorded from the real server; absent until it is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Recorded>,
    /// The response of our server if it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<Recorded>,
    /// Why our server deliberately differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A response without the parts that differ each time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// The HTTP status code.
    pub status: u16,
    /// The headers that clients act on.
    pub headers: BTreeMap<String, String>,
    /// The body: JSON, or text.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub body: Value,
}

/// The cases of one theme, in the order in which they are sent.
#[derive(Debug)]
pub struct File {
    /// The path of the file.
    pub path: PathBuf,
    /// The cases.
    pub cases: Vec<Case>,
}

/// The files, in the order in which they are sent: the first one registers the services.
const FILES: [&str; 3] = ["cli.json", "admin.json", "ingress.json"];

/// Reads all files.
///
/// # Errors
/// Returns an error if a file cannot be read, or contains a difference without a reason.
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
        ensure!(
            ours.is_none() || ours != answer,
            "{shown}: {name}: 'ours' equals the expected answer"
        );
    }
    Ok(File { path, cases })
}

impl File {
    /// Writes the cases back.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn write(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.cases)? + "\n";
        std::fs::write(&self.path, text).with_context(|| self.path.display().to_string())
    }
}
