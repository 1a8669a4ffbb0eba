//! The queries that tools send when they connect and browse, as recorded in `interop/sql/tools`, and
//! PostgreSQL's own programs.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use e2e_harness::programs::root;

use super::client;

/// The files of queries.
pub const TOOLS: [&str; 3] = ["dbeaver", "grafana", "metabase"];

/// A recorded query.
struct Query {
    /// What the tool wants to know.
    about: String,
    text: String,
    /// Fields that have to be in the answer.
    names: Vec<String>,
}

/// Sends all queries of a tool; returns what each is about, and whether it is answered.
///
/// # Errors
/// Returns an error if psql cannot be started, or the file of queries cannot be read.
pub fn ask(tool: &str, sql: SocketAddr) -> Result<Vec<(String, Result<()>)>> {
    let schema =
        psql(sql, "select oid from pg_catalog.pg_namespace where nspname = 'public'", &[])?;
    let table = "select oid from pg_catalog.pg_class where relname = 'sys_invocation'";
    let table = psql(sql, table, &[])?;
    let variables = [format!("schema={}", schema.trim()), format!("table={}", table.trim())];
    let queries = queries(tool)?;
    ensure!(!queries.is_empty(), "{tool}.sql contains no queries");
    let asked = |Query { about, text, names }| {
        let answer = psql(sql, &text, &variables);
        (about, answer.and_then(|answer| contains(&answer, &names)))
    };
    Ok(queries.into_iter().map(asked).collect())
}

fn contains(answer: &str, names: &[String]) -> Result<()> {
    let fields: Vec<&str> = answer.lines().flat_map(|line| line.split('|')).collect();
    let missing: Vec<_> = names.iter().filter(|name| !fields.contains(&name.as_str())).collect();
    ensure!(missing.is_empty(), "the answer lacks {missing:?}:\n{answer}");
    Ok(())
}

/// Asks PostgreSQL's own program whether the server accepts connections.
///
/// # Errors
/// Returns an error if it does not.
pub fn is_ready(sql: SocketAddr) -> Result<()> {
    let output = client("pg_isready", sql).output().context("pg_isready cannot be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success() && text.contains("accepting connections"), "{text}");
    Ok(())
}

/// Reads the queries of a tool: a paragraph for each, which begins with comments.
fn queries(tool: &str) -> Result<Vec<Query>> {
    let path = root().join(format!("interop/sql/tools/{tool}.sql"));
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    // The first paragraph says what the file is.
    let paragraphs = text.split("\n\n").skip(1);
    let query = |paragraph: &str| {
        let comments = paragraph.lines().map_while(|line| line.strip_prefix("-- "));
        let about = comments.clone().next().context("a query without a comment")?.to_owned();
        let names = comments.filter_map(|line| line.strip_prefix("names ")).map(str::to_owned);
        Ok(Query { about, text: paragraph.to_owned(), names: names.collect() })
    };
    paragraphs.map(query).collect()
}

/// Runs a query with psql; returns its rows, with `|` between their fields.
fn psql(sql: SocketAddr, query: &str, variables: &[String]) -> Result<String> {
    let mut command = client("psql", sql);
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
    command.args(variables.iter().flat_map(|variable| ["-v", variable]));
    let output = with_input(command, query).context("psql cannot be run")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}\n{error}{query}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a command to completion on an input, all of which it reads before it prints much.
fn with_input(mut command: Command, input: &str) -> std::io::Result<std::process::Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    child.wait_with_output()
}
