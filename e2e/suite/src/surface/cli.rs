//! The official command line tool against a server: it registers, lists and describes without a
//! warning.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use e2e_harness::{npm, programs::target};
use serde_json::Value;

use crate::bed::TestBed;

/// Markers of output lines that should worry a user.
const WORRIES: [&str; 6] = ["warn", "error", "unsupported", "not found", "❌", "⚠"];

/// What the tool itself says of one of the settings that it shows.
const ABOUT_RETRIES: &str = "transient errors";

/// Runs the commands; returns each with the number of lines it printed.
///
/// # Errors
/// Returns an error if a command fails, prints a warning, or does not print what it should.
pub async fn check(bed: &TestBed) -> Result<Vec<String>> {
    let program = npm::restate("restate", &target().join("interop-restate-cli"))?;
    let services = bed.services_uri();
    let mut done = Vec::new();
    let home = bed.dir().join("cli");
    std::fs::create_dir_all(&home)?;
    let mut run = |arguments: &[&str], says: &[&str]| -> Result<()> {
        let output = Command::new(&program)
            .args(arguments)
            .env("RESTATE_ADMIN_URL", &bed.server.admin)
            .env("RESTATE_INGRESS_URL", &bed.server.ingress)
            .env("RESTATE_CLI_CONFIG_HOME", &home)
            .env("DO_NOT_TRACK", "1")
            .env("NO_COLOR", "1")
            .env("CI", "1")
            .stdin(Stdio::null())
            .output()
            .context("the command line tool cannot be started")?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let shown = arguments.join(" ");
        ensure!(output.status.success(), "restate {shown}: {}\n{text}", output.status);
        let lower = text.to_lowercase().replace(ABOUT_RETRIES, "");
        if let Some(worry) = WORRIES.iter().find(|worry| lower.contains(**worry)) {
            bail!("restate {shown} prints '{worry}':\n{text}");
        }
        for said in says {
            ensure!(text.contains(said), "restate {shown} does not print '{said}':\n{text}");
        }
        done.push(format!("restate {shown}: {} lines", text.lines().count()));
        Ok(())
    };
    run(&["deployments", "register", &services, "--yes"], &["Cell", "Lab", "List", "Flow"])?;
    run(&["deployments", "register", &services, "--yes"], &["already exists"])?;
    let uri = format!("{}/deployments", bed.server.admin);
    let listed = bed.server.send(http::Method::GET, &uri, &[], "").await?.ok()?;
    let id = listed.pointer("/deployments/0/id").and_then(Value::as_str).context("no id")?;
    run(&["deployments", "list"], &[id, "Cell [1]", "HTTP"])?;
    run(&["deployments", "describe", id], &[id, "Bidirectional Stream", "Revision: 1 [Latest]"])?;
    run(&["services", "list"], &["Cell", "virtual object", "Flow", "workflow", id])?;
    run(&["services", "describe", "Cell"], &["VirtualObject", "add_then_fail", id])?;
    run(&["services", "config", "view", "Cell"], &["Cell"])?;
    let patch = ["services", "config", "patch", "Cell", "--journal-retention", "2h", "--yes"];
    run(&patch, &["2h"])?;
    run(&["services", "config", "view", "Cell"], &["2h"])?;
    // From here on: what the tool asks in SQL.
    let invocation = bed.server.send_to("/Cell/of-cli/add", serde_json::json!(3)).await?;
    let attach = format!("/restate/invocation/{invocation}/attach");
    bed.server.get(&attach).await?.ok()?;
    run(&["deployments", "list", "--extra"], &[id, "Active"])?;
    run(&["services", "status"], &["Cell", "add", "SUSPENDED"])?;
    run(&["invocations", "list", "--all"], &[&invocation, "Cell/of-cli/add", "completed"])?;
    run(&["invocations", "describe", &invocation], &["Cell/of-cli/add", "Input", "Output"])?;
    run(&["state", "get", "Cell", "of-cli"], &["of-cli", "3"])?;
    let query = "select target, status from sys_invocation where target_service_key = 'of-cli'";
    run(&["sql", query], &["Cell/of-cli/add", "completed"])?;
    // A forced registration is not tested: the tool warns about it whatever the server responds.
    run(&["whoami"], &["Admin base URL"])?;
    Ok(done)
}
