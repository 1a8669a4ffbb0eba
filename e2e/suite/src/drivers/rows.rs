//! The rows that the programs select: invocations that are completed, failed, suspended and
//! scheduled, values of JSON, of other bytes and of no bytes, and more rows than a driver fetches at
//! once by itself. `interop/sql` has what the programs know of them.

use anyhow::{Context, Result, ensure};
use e2e_client::Server;
use http::Method;
use serde_json::{Value, json};

/// Number of invocations with the key `many`.
const MANY: usize = 1000;

/// Makes the rows, and waits until nothing changes any more.
///
/// # Errors
/// Returns an error if the server does not do what it is asked for.
pub async fn make(server: &Server) -> Result<()> {
    let entries = [
        ("order", json!({ "status": "CREATED", "lines": [1, 2] })),
        ("word", json!("grüße")),
        // A number that only 64 bits can hold.
        ("number", json!(9_007_199_254_740_993_u64)),
    ];
    for (name, value) in entries {
        server.call("/Cell/kept/set", json!({ "k": name, "v": value })).await?;
    }
    // Programs that listen change it.
    server.call("/Cell/listened/set", json!({ "k": "a", "v": 0 })).await?;
    echo(server, "bytes", &[0, 1, 254, 255]).await?;
    echo(server, "empty", &[]).await?;
    let failed = json!({ "code": 409, "message": "refused" });
    let key = [("idempotency-key", "failed")];
    server.post_with("/Lab/fail", &failed, &key).await?.expect_failure(409, "refused")?;
    server.send_to("/Cell/held/hold", Value::Null).await?;
    server.call("/Lab/double/send?delay=1d", json!(21)).await?;
    server.call("/Lab/send_many", json!({ "key": "many", "count": MANY })).await?;
    for (condition, rows) in [
        ("target_service_key = 'held' and status = 'suspended'", 1),
        ("target_service_key = 'many' and status = 'completed'", MANY),
    ] {
        let query = format!("select id from sys_invocation where {condition}");
        server.eventually(|| expect(server, &query, rows)).await?;
    }
    Ok(())
}

async fn echo(server: &Server, key: &str, bytes: &'static [u8]) -> Result<()> {
    let headers = [("idempotency-key", key), ("content-type", "application/octet-stream")];
    let uri = format!("{}/Lab/echo", server.ingress);
    let response = server.send(Method::POST, &uri, &headers, bytes).await?;
    ensure!(response.body == bytes, "{uri} returns {:?}", response.body);
    Ok(())
}

async fn expect(server: &Server, query: &str, rows: usize) -> Result<()> {
    let answer = server.query(query).await?.ok()?;
    let found = answer["rows"].as_array().context("no rows")?.len();
    ensure!(found == rows, "{query}: {found} rows, expected {rows}");
    Ok(())
}
