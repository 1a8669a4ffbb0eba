//! Sends the cases to a server, one after the other, and compares the responses.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use e2e_client::HttpResponse;
use http::Method;
use serde_json::Value;

use super::{
    case::{Case, File, Recorded},
    normal,
};
use crate::bed::TestBed;

/// Sends all cases; returns the responses in the same order.
///
/// # Errors
/// Returns an error if a request cannot be sent or gets no response.
pub async fn play(bed: &TestBed, files: &[File]) -> Result<Vec<Recorded>> {
    let mut kept = BTreeMap::from([
        ("services".to_owned(), bed.services_uri()),
        // Nothing listens on the discard port.
        ("nobody".to_owned(), "http://127.0.0.1:9".to_owned()),
    ]);
    let mut seen = Vec::new();
    for case in files.iter().flat_map(|file| &file.cases) {
        let answer = ask(bed, case, &kept).await.with_context(|| case.name.clone())?;
        for (name, pointer) in &case.keep {
            let body = answer.json().with_context(|| case.name.clone())?;
            let value = body.pointer(pointer).and_then(Value::as_str);
            let nothing = || format!("{}: nothing at {pointer} of {body}", case.name);
            kept.insert(name.clone(), value.with_context(nothing)?.to_owned());
        }
        seen.push(normal::seen(case, &answer));
    }
    Ok(seen)
}

/// Describes the responses that differ from what is expected, one case per line.
pub fn compare(files: &[File], seen: &[Recorded]) -> Vec<String> {
    let cases = files.iter().flat_map(|file| &file.cases);
    let faults = cases.zip(seen).filter_map(|(case, seen)| {
        let Some(expected) = case.ours.as_ref().or(case.answer.as_ref()) else {
            return Some(format!("{}: not recorded; cargo xtask surface --record", case.name));
        };
        (seen != expected).then(|| {
            let show = |seen| serde_json::to_string(seen).unwrap_or_default();
            let (expected, actual) = (show(expected), show(seen));
            format!("{}: {}\n  expected {expected}\n  actual   {actual}", case.name, case.ask)
        })
    });
    faults.collect()
}

async fn ask(bed: &TestBed, case: &Case, kept: &BTreeMap<String, String>) -> Result<HttpResponse> {
    let filled = |text: &str| {
        kept.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
    };
    let ask = filled(&case.ask);
    let mut words = ask.splitn(3, ' ');
    let (method, whom, path) = (words.next(), words.next(), words.next());
    let shape = "expected 'METHOD admin|ingress path'";
    let base = match whom {
        Some("admin") => &bed.server.admin,
        Some("ingress") => &bed.server.ingress,
        _ => anyhow::bail!("{shape}"),
    };
    let method: Method = method.context(shape)?.parse()?;
    let mut headers: Vec<(&str, &str)> =
        case.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let body = match (&case.json, &case.text) {
        (Some(json), _) => {
            headers.push(("content-type", "application/json"));
            filled(&json.to_string())
        }
        (None, Some(text)) => filled(text),
        (None, None) => String::new(),
    };
    let uri = format!("{base}{}", path.context(shape)?);
    bed.server.send(method, &uri, &headers, body).await
}
