//! What is known about a deployment.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::offered::{self, Service};
use crate::{
    client::{Client, segment},
    commands::tally::{self, Tally},
    error::Error,
    output::sheet::Sheet,
    printer::print_json,
    sql_text::literal,
    terminal::say,
};

/// What a sheet needs of a deployment. A server may have endpoints that are not HTTP.
#[derive(Deserialize)]
struct Deployment {
    id: String,
    #[serde(alias = "arn")]
    uri: String,
    #[serde(default)]
    protocol_type: String,
    #[serde(default)]
    http_version: String,
    #[serde(default)]
    additional_headers: BTreeMap<String, String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    created_at: String,
    min_protocol_version: u32,
    max_protocol_version: u32,
    #[serde(default)]
    sdk_version: Option<String>,
    services: Vec<Service>,
}

/// Where the admin API has a deployment.
pub(super) fn path(id: &str) -> String {
    format!("/deployments/{}", segment(id))
}

pub(super) async fn describe(client: &Client, id: &str, is_json: bool) -> Result<(), Error> {
    let deployment: Value = client.get(&path(id)).await?;
    let is_pinned = format!("pinned_deployment_id = {}", literal(id));
    let pinned = tally::count(client, &is_pinned).await?;
    if is_json {
        return print_json(&json!({ "deployment": deployment, "invocations": pinned }));
    }
    Ok(say(&sheet(&client.read(deployment)?, &pinned)?.text())?)
}

fn sheet(deployment: &Deployment, pinned: &[Tally]) -> Result<Sheet, Error> {
    let mut sheet = Sheet::about(&deployment.id);
    sheet.field("endpoint", &deployment.uri);
    sheet.field("registered", &deployment.created_at);
    sheet.field_if("sdk", deployment.sdk_version.as_ref());
    let (min, max) = (deployment.min_protocol_version, deployment.max_protocol_version);
    let how = [&deployment.protocol_type, &deployment.http_version].map(String::as_str).join(" ");
    sheet.field("protocol", &format!("{min} to {max}, {how}"));
    let pairs = |pairs: &BTreeMap<String, String>| -> Option<String> {
        let lines = pairs.iter().map(|(name, value)| format!("{name}: {value}"));
        (!pairs.is_empty()).then(|| lines.collect::<Vec<_>>().join("\n"))
    };
    sheet.field_if("headers", pairs(&deployment.additional_headers));
    sheet.field_if("metadata", pairs(&deployment.metadata));
    sheet.field("pinned", &tally::words(pinned));
    offered::show(&deployment.services, &mut sheet)?;
    Ok(sheet)
}
