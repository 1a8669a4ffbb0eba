//! How a server is, by what it says of itself.

use http::{Method, header};
use jiff::{Timestamp, fmt::rfc2822};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{endpoints, finding::Finding};
use crate::{
    client::{Client, ClientError},
    output::sheet::counted,
};

const SERVER: &str = "server";
const STUCK: &str = "stuck";

/// A difference of the clocks that is no accident of the network.
const CLOCK_SECONDS_MAX: i64 = 5;

/// An invocation that began longer ago than this and fails needs somebody, in seconds.
const FAILING_SECONDS: i64 = 600;

#[derive(Deserialize)]
struct Version {
    version: String,
}

#[derive(Deserialize)]
struct Health {
    live: bool,
    warnings: Vec<String>,
}

pub(super) async fn look(client: &Client, is_expected: bool) -> Vec<Finding> {
    let version: Version = match client.get("/version").await {
        Ok(version) => version,
        Err(error) => return vec![unreachable(client, &error, is_expected)],
    };
    let mut findings = vec![of_version(client, &version.version)];
    findings.extend(clocks(client).await);
    findings.extend(health(client).await);
    findings.extend(endpoints::look(client).await);
    findings.extend(stuck(client).await);
    findings
}

fn unreachable(client: &Client, error: &ClientError, is_expected: bool) -> Finding {
    if is_expected || !error.is_unreachable() {
        let advice = "--admin says where to find it; its log says whether it has started";
        return Finding::problem(SERVER, error.to_string(), advice);
    }
    let found = format!("no server answers at {}", client.url());
    Finding::warning(SERVER, found, "start it with abide serve, or say with --admin where it is")
}

fn of_version(client: &Client, version: &str) -> Finding {
    let ours = env!("CARGO_PKG_VERSION");
    let found = format!("abide {version} answers at {}", client.url());
    if version == ours {
        return Finding::ok(SERVER, found);
    }
    let advice = format!("this command line is {ours}: use the one of the server's version");
    Finding::warning(SERVER, found, advice)
}

/// Compares this machine's clock with the server's, which is in the head of every answer.
async fn clocks(client: &Client) -> Option<Finding> {
    let before = Timestamp::now();
    let sent = client.send(Method::GET, "/version", None::<&()>, "application/json");
    let response = sent.await.ok()?;
    let date = response.headers().get(header::DATE)?.to_str().ok()?;
    let theirs = rfc2822::parse(date).ok()?.timestamp();
    let took = Timestamp::now().as_second() - before.as_second();
    let behind = before.as_second() - theirs.as_second();
    if behind.abs() <= CLOCK_SECONDS_MAX + took {
        return Some(Finding::ok("clock", "the server's shows the same as this machine's"));
    }
    let (by, which) = (behind.abs(), if behind > 0 { "behind" } else { "ahead of" });
    let found = format!("the server's is {by} s {which} this machine's");
    let advice = "synchronise both with a time server: services on other machines say when sleeps \
                  are due by their own clock";
    Some(Finding::warning("clock", found, advice))
}

async fn health(client: &Client) -> Vec<Finding> {
    // A server that is not well says so with another status.
    let health = match client.get::<Health>("/health").await {
        Ok(health) => health,
        Err(error) => {
            let advice = "restart the node; its log says why";
            return vec![Finding::problem("health", error.to_string(), advice)];
        }
    };
    if let Err(error) = client.get::<Value>("/health/ready").await {
        let advice = "new work is refused or waits until then; GET /health/ready says why";
        return vec![Finding::problem("health", error.to_string(), advice)];
    }
    if health.live && health.warnings.is_empty() {
        return vec![Finding::ok("health", "every partition makes progress and takes new work")];
    }
    let warnings = health.warnings.iter();
    let finding = |warning: &String| {
        let (found, advice) = warning.split_once(": ").unwrap_or((warning, "see GET /health"));
        Finding::warning("health", found, advice)
    };
    warnings.map(finding).collect()
}

/// What waits for somebody, at a glance. Invocations that fail again and again spend most of their
/// time in attempts, and pauses between these may be short.
async fn stuck(client: &Client) -> Vec<Finding> {
    let counts = "select count(*) filter (where status = 'paused') as paused, \
                  count(*) filter (where status = 'backing-off' or retry_count > 1) as failing \
                  from sys_invocation where status in ('paused', 'backing-off', 'running')";
    let oldest = "select id, target, retry_count, created_at, last_failure from sys_invocation \
                  where status = 'backing-off' or status = 'running' and retry_count > 1 \
                  order by created_at limit 1";
    // Those that wait for one of the above are stuck for the same cause.
    let others = "select cause, count(distinct id) as count, min(id) as example from sys_why \
                  where verdict = 'stuck' and cause is not null and cause not in \
                  ('paused', 'paused_by_failure', 'retry', 'unreachable') group by cause order by cause";
    let asked = tokio::join!(rows(client, counts), rows(client, oldest), rows(client, others));
    let (counts, oldest, others) = match asked {
        (Ok(counts), Ok(oldest), Ok(others)) => (counts, oldest, others),
        (Err(error), _, _) | (_, Err(error), _) | (_, _, Err(error)) => {
            let advice = "what is stuck is not known; ask again with abide sql";
            return vec![Finding::warning(STUCK, error.to_string(), advice)];
        }
    };
    let count = |name: &str| counts.first().and_then(|row| row[name].as_u64()).unwrap_or(0);
    let (paused, failing) = (count("paused"), count("failing"));
    let mut findings = Vec::new();
    if paused > 0 {
        findings.push(Finding::warning(
            STUCK,
            counted(
                paused,
                "invocation is paused, and waits for an operator",
                "invocations are paused, and wait for an operator",
            ),
            "abide invocations list --status paused shows them; resume or cancel them",
        ));
    }
    if let Some(oldest) = oldest.first() {
        let text = |name: &str| oldest[name].as_str().unwrap_or("?").to_owned();
        let begun: Option<Timestamp> = text("created_at").parse().ok();
        let seconds = begun.map_or(0, |begun| Timestamp::now().as_second() - begun.as_second());
        let found = format!(
            "{}; the oldest is {} of {}, begun {} ago: {}",
            counted(failing, "invocation fails and is retried", "invocations fail and are retried"),
            text("id"),
            text("target"),
            duration(seconds),
            text("last_failure").lines().next().unwrap_or_default()
        );
        let advice = format!("abide why {} says more, and what helps", text("id"));
        findings.push(if seconds >= FAILING_SECONDS {
            Finding::warning(STUCK, found, advice)
        } else {
            Finding { advice: Some(advice), ..Finding::ok(STUCK, found) }
        });
    }
    for other in others {
        let (cause, example) = (other["cause"].as_str(), other["example"].as_str());
        let (cause, example) = (cause.unwrap_or("?"), example.unwrap_or("?"));
        let count = other["count"].as_u64().unwrap_or_default();
        findings.push(Finding::warning(
            STUCK,
            format!(
                "{} by {cause}, among them {example}",
                counted(count, "invocation is stuck", "invocations are stuck")
            ),
            format!("abide why {example} says what helps"),
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(STUCK, "no invocation is paused, failing or deadlocked"));
    }
    findings
}

fn duration(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

async fn rows(client: &Client, query: &str) -> Result<Vec<Value>, ClientError> {
    #[derive(Deserialize)]
    struct Rows {
        rows: Vec<Value>,
    }
    let (_, Rows { rows }) = client.post("/query", &json!({ "query": query })).await?;
    Ok(rows)
}
