//! What is known about a deployment.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::offered::{self, Info, Service};
use crate::{
    client::{Client, segment},
    commands::tally,
    error::Error,
    output::sheet::Sheet,
    printer::print_json,
    sql_text::literal,
    terminal::say,
};

/// What a sheet needs of a deployment. A server may have endpoints that are not HTTP.
#[derive(Deserialize)]
pub(super) struct Deployment {
    pub(super) id: String,
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
    #[serde(default)]
    status: Option<String>,
    services: Vec<Service>,
    #[serde(default)]
    info: Vec<Info>,
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
    let deployment: Deployment = client.read(deployment)?;
    let mut sheet = Sheet::about(&deployment.id);
    fields(&deployment, &mut sheet);
    sheet.field("pinned", &tally::words(&pinned));
    offered::show(&deployment.services, &mut sheet)?;
    Ok(say(&sheet.text())?)
}

/// Shows a deployment as an answer has it, under a title.
pub(super) fn show(title: &str, deployment: &Deployment) -> Result<(), Error> {
    let mut sheet = Sheet::about(title);
    fields(deployment, &mut sheet);
    offered::show(&deployment.services, &mut sheet)?;
    offered::remark(&deployment.info, &mut sheet);
    Ok(say(&sheet.text())?)
}

fn fields(deployment: &Deployment, sheet: &mut Sheet) {
    sheet.field_if("status", deployment.status.as_ref());
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
}
