//! The programs of `interop/sql`, one for each language. Each prints a line for each check.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use e2e_harness::{
    maven, npm,
    programs::{root, target},
    python,
};

use super::client;

/// The version of PostgreSQL's JDBC driver.
const JDBC_VERSION: &str = "42.7.7";

/// Where a program finds the ingress, to change what it listens to.
const INGRESS: &str = "INGRESS";

/// Makes the command for a program that connects to this address and calls this ingress, installing
/// what it needs.
pub type Start = fn(SocketAddr, &str) -> Result<Command>;

/// Python's drivers, SQLAlchemy, and psql's completion, which takes a terminal to test.
///
/// # Errors
/// Returns an error if the packages cannot be installed.
pub fn in_python(sql: SocketAddr, ingress: &str) -> Result<Command> {
    let dir = root().join("interop/sql/python");
    let python =
        python::environment(&dir.join("requirements.txt"), &target().join("drivers/venv"))?;
    let mut command = client(python, sql);
    // Nothing is written beside the sources.
    command.env(INGRESS, ingress).arg("-B").arg(dir.join("main.py"));
    Ok(command)
}

/// Node.js' driver.
///
/// # Errors
/// Returns an error if the packages cannot be installed.
pub fn in_node(sql: SocketAddr, ingress: &str) -> Result<Command> {
    let dir = root().join("interop/sql/node");
    npm::packages(&dir)?;
    let mut command = client("node", sql);
    command.env(INGRESS, ingress).arg("--no-deprecation").arg(dir.join("main.mjs"));
    Ok(command)
}

/// Java's driver.
///
/// # Errors
/// Returns an error if the driver cannot be fetched.
pub fn in_java(sql: SocketAddr, ingress: &str) -> Result<Command> {
    let jar =
        maven::jar("org.postgresql", "postgresql", JDBC_VERSION, &target().join("drivers/java"))?;
    let mut command = client("java", sql);
    command
        .env(INGRESS, ingress)
        .arg("-cp")
        .arg(jar)
        .arg(root().join("interop/sql/java/Drivers.java"));
    Ok(command)
}

/// Runs a program and passes on each line of its output as it is printed.
///
/// # Errors
/// Returns an error if the program fails, or checks nothing.
pub fn run(mut command: Command, print: impl Fn(&str)) -> Result<()> {
    let shown = format!("{:?}", command.get_program());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{shown} cannot be started"))?;
    let stdout = child.stdout.take().context("the output is not piped")?;
    let mut passed = 0;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        passed += usize::from(line.starts_with("ok "));
        print(&line);
    }
    let status = child.wait()?;
    ensure!(status.success(), "{shown}: {status}");
    ensure!(passed > 0, "{shown} has checked nothing");
    Ok(())
}
