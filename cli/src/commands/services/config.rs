//! The settings in a description of a service, as the admin API has it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    args::LayoutFlags,
    client::segment,
    error::Error,
    output::sheet::Sheet,
    printer::print_json,
    terminal::{is_to_terminal, say},
};

/// The settings that a service has, and a handler may have.
const SETTINGS: [&str; 7] = [
    "public",
    "idempotency_retention",
    "workflow_completion_retention",
    "journal_retention",
    "inactivity_timeout",
    "abort_timeout",
    "enable_lazy_state",
];
/// An object of more settings. Their names are shown with this before a dot.
const RETRY_POLICY: &str = "retry_policy";

/// The settings of a service.
#[derive(Debug, Serialize)]
pub(super) struct Config {
    /// Those of the service.
    pub(super) service: Map<String, Value>,
    /// What handlers have of their own, by the name of the handler.
    pub(super) handlers: BTreeMap<String, Map<String, Value>>,
    /// What the server remarks on them, such as a change that does not reach a handler.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) info: Vec<String>,
}

impl Config {
    /// Reads them from a description.
    pub(super) fn of(description: &Map<String, Value>) -> Self {
        let service = settings(description);
        let handlers = description.get("handlers").and_then(Value::as_array);
        let handlers = handlers.into_iter().flatten().filter_map(Value::as_object);
        let handlers = handlers.filter_map(|handler| {
            let name = handler.get("name")?.as_str()?.to_owned();
            let mut own = settings(handler);
            // A handler without a limit of its own has null there.
            own.retain(|name, value| !value.is_null() && service.get(name) != Some(value));
            (!own.is_empty()).then_some((name, own))
        });
        let handlers = handlers.collect();
        Self { service, handlers, info: remarks(description) }
    }
}

fn remarks(description: &Map<String, Value>) -> Vec<String> {
    let info = description.get("info").and_then(Value::as_array).into_iter().flatten();
    info.filter_map(|info| Some(info.get("message")?.as_str()?.to_owned())).collect()
}

fn settings(description: &Map<String, Value>) -> Map<String, Value> {
    let own = SETTINGS.iter().map(|name| ((*name).to_owned(), description.get(*name)));
    let retry = description.get(RETRY_POLICY).and_then(Value::as_object).into_iter().flatten();
    let retry = retry.map(|(name, value)| (format!("{RETRY_POLICY}.{name}"), Some(value)));
    own.chain(retry).filter_map(|(name, value)| Some((name, value?.clone()))).collect()
}

/// Where the admin API has a service.
pub(super) fn path(name: &str) -> String {
    format!("/services/{}", segment(name))
}

/// Shows the settings in a description of a service, and what its server remarks on it.
pub(super) fn show(
    name: &str,
    service: &Map<String, Value>,
    layout: &LayoutFlags,
) -> Result<(), Error> {
    let config = Config::of(service);
    if layout.is_json(is_to_terminal()) {
        return print_json(&config);
    }
    let mut sheet = Sheet::about(&format!("settings of {name}"));
    sheet.texts(["setting", "value"], &rows(&config.service))?;
    for (handler, own) in &config.handlers {
        sheet.section(&format!("{handler} has its own"));
        sheet.texts(["setting", "value"], &rows(own))?;
    }
    if !config.info.is_empty() {
        sheet.section("Note");
        config.info.iter().for_each(|note| sheet.item(note));
    }
    Ok(say(&sheet.text())?)
}

fn rows(settings: &Map<String, Value>) -> Vec<[String; 2]> {
    settings.iter().map(|(name, value)| [name.clone(), shown(value)]).collect()
}

/// A setting in words.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "unlimited".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_handler_shows_only_what_differs_from_its_service() {
        let description = json!({
            "name": "S",
            "public": true,
            "abort_timeout": "10m",
            "retry_policy": { "max_attempts": null, "max_interval": "1m" },
            "handlers": [
                { "name": "a", "public": true, "retry_policy": { "max_attempts": null } },
                { "name": "b", "public": false, "retry_policy": { "max_attempts": 3 } },
            ],
        });
        let config = Config::of(description.as_object().unwrap());
        let expected = json!({
            "service": {
                "public": true,
                "abort_timeout": "10m",
                "retry_policy.max_attempts": null,
                "retry_policy.max_interval": "1m",
            },
            "handlers": { "b": { "public": false, "retry_policy.max_attempts": 3 } },
        });
        assert_eq!(serde_json::to_value(&config).unwrap(), expected);
        assert_eq!(shown(&config.service["retry_policy.max_attempts"]), "unlimited");
        assert_eq!(shown(&config.service["abort_timeout"]), "10m");
    }
}
