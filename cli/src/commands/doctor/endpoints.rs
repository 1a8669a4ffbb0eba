//! Whether the registered endpoints answer: asked by the server, which is who calls them, and tried
//! from here, where a service is often started by hand.

use std::net::ToSocketAddrs;
use std::time::Duration;

use http::Uri;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::spawn_blocking, time::timeout};

use super::finding::Finding;
use crate::client::{Client, ClientError};

const ENDPOINT: &str = "endpoint";

/// How many are asked: each may take the server ten seconds.
const ENDPOINTS_MAX: usize = 20;

/// How long a connection from here may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Deployments {
    deployments: Vec<Deployment>,
}

#[derive(Deserialize)]
struct Deployment {
    id: String,
    #[serde(alias = "arn")]
    uri: String,
    #[serde(default)]
    http_version: String,
    #[serde(default)]
    additional_headers: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
struct Discovered {
    min_protocol_version: u32,
    max_protocol_version: u32,
    services: Vec<Value>,
}

pub(super) async fn look(client: &Client) -> Vec<Finding> {
    let deployments = match client.get::<Deployments>("/deployments").await {
        Ok(Deployments { deployments }) => deployments,
        Err(error) => {
            let advice = "the registered endpoints are not known; see the server's log";
            return vec![Finding::problem(ENDPOINT, error.to_string(), advice)];
        }
    };
    if deployments.is_empty() {
        let advice = "abide deployments register URL registers one";
        return vec![Finding::warning(ENDPOINT, "none is registered", advice)];
    }
    let mut findings = Vec::new();
    // The newest ones are those that get new invocations.
    for deployment in deployments.iter().rev().take(ENDPOINTS_MAX) {
        findings.push(of_one(client, deployment).await);
    }
    if let Some(others) = deployments.len().checked_sub(ENDPOINTS_MAX).filter(|others| *others > 0)
    {
        findings.push(Finding::ok(ENDPOINT, format!("{others} older ones were not asked")));
    }
    findings
}

async fn of_one(client: &Client, deployment: &Deployment) -> Finding {
    let Deployment { id, uri, http_version, additional_headers } = deployment;
    let is_near = is_reached_from_here(uri).await;
    // Nothing is registered by a dry run; force has the endpoint asked although it is known.
    let body = json!({
        "uri": uri,
        "dry_run": true,
        "force": true,
        "use_http_11": http_version == "HTTP/1.1",
    });
    match client.post::<Discovered>("/deployments", &body).await {
        Ok((_, found)) => {
            let Discovered { min_protocol_version: min, max_protocol_version: max, services } =
                found;
            let aside = if is_near { "" } else { " (not from here)" };
            let services = services.len();
            let found = format!(
                "{uri} answers the server{aside}: protocol {min} to {max}, services: {services}"
            );
            Finding::ok(ENDPOINT, found)
        }
        Err(ClientError::Refused(refusal)) if additional_headers.is_empty() => {
            let place =
                if is_near { "though it accepts connections from here" } else { "nor from here" };
            let found =
                format!("{uri} ({id}) does not answer the server, {place}: {}", refusal.message);
            let advice = "start the service, or check what is between the two; abide deployments \
                          remove forgets an endpoint that is gone for good";
            Finding::problem(ENDPOINT, found, advice)
        }
        // Its headers may be what lets the server in, and they are not shown to us.
        Err(ClientError::Refused(refusal)) => Finding::warning(
            ENDPOINT,
            format!("{uri} ({id}) does not answer without its headers: {}", refusal.message),
            "whether it answers with them is shown by its invocations",
        ),
        Err(error) => Finding::warning(ENDPOINT, error.to_string(), "ask again"),
    }
}

async fn is_reached_from_here(uri: &str) -> bool {
    let Ok(uri) = uri.parse::<Uri>() else { return false };
    let Some(host) = uri.host().map(|host| host.trim_matches(['[', ']']).to_owned()) else {
        return false;
    };
    let is_tls = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let resolve = spawn_blocking(move || (host, port).to_socket_addrs().map(Iterator::collect));
    let connect = async {
        let addresses: Vec<_> = resolve.await.ok()?.ok()?;
        TcpStream::connect(&addresses[..]).await.ok()
    };
    timeout(CONNECT_TIMEOUT, connect).await.is_ok_and(|connected| connected.is_some())
}
