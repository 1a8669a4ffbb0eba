//! Content types of inputs.

use protocol::surface::content_type::JSON;

/// Whether a content type matches a rule such as `*/*`, `text/*` or `application/json`. Parameters
/// are ignored.
pub fn matches(actual: &str, rule: &str) -> bool {
    let (actual, rule) = (essence(actual), essence(rule));
    match rule.split_once('/') {
        Some(("*", "*")) => true,
        Some((kind, "*")) => actual.split_once('/').is_some_and(|(actual, _)| actual == kind),
        Some(_) | None => actual == rule,
    }
}

/// Whether a content type, or each one that matches a rule, is JSON.
pub fn is_json(actual: &str) -> bool {
    let actual = essence(actual).to_ascii_lowercase();
    actual == JSON || actual.ends_with("+json")
}

/// Whether one that matches a rule may be JSON.
pub fn may_be_json(rule: &str) -> bool {
    is_json(rule) || matches(JSON, rule)
}

fn essence(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_known_by_its_name_or_suffix() {
        for json in ["application/json", "Application/JSON; charset=utf-8", "application/x+json"] {
            assert!(is_json(json) && may_be_json(json), "{json}");
        }
        for other in ["text/plain", "application/jsonl", "application/octet-stream", ""] {
            assert!(!is_json(other) && !may_be_json(other), "{other}");
        }
        for rule in ["*/*", "application/*"] {
            assert!(!is_json(rule) && may_be_json(rule), "{rule}");
        }
        assert!(!may_be_json("text/*"));
    }
}
