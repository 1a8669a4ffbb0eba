//! The real `psql`, and the services whose state it looks at.

use std::net::SocketAddr;
use std::process::{Command, Output};

use abide_sdk::prelude::*;
use e2e_client::Server;
use e2e_harness::{abide::Abide, process::Process};
use tempfile::TempDir;

use crate::support::{serve_endpoint, start_under_settings};

const STATUS: State<String> = State::new("status");

/// The name that the original's page knows it by is its alias.
pub(crate) struct OrderStatus;

#[object(name = "order-status", metadata(alias = "orderStatus"))]
impl OrderStatus {
    pub async fn set(&self, ctx: &ObjectContext, status: String) -> Result<()> {
        STATUS.set(ctx, status);
        Ok(())
    }
}

pub(crate) struct OrderWorkflow;

#[workflow(name = "order-workflow")]
impl OrderWorkflow {
    pub async fn run(&self, ctx: &WorkflowContext) -> Result<()> {
        OrderStatus::key(ctx.key()).set(ctx, "CREATED".to_owned()).await?;
        let (_callback, prepared) = ctx.awakeable::<String>();
        prepared.await?;
        Ok(())
    }
}

/// A server with services.
pub(crate) struct Rig {
    pub(crate) process: Process,
    pub(crate) server: Server,
    pub(crate) abide: Abide,
    pub(crate) settings: Vec<(&'static str, &'static str)>,
    _data: TempDir,
}

impl Rig {
    pub(crate) async fn start(settings: &[(&'static str, &'static str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let (process, server, abide) = start_under_settings(data.path(), settings).await;
        let endpoint = Endpoint::new().bind(OrderStatus).bind(OrderWorkflow);
        serve_endpoint(&server, endpoint).await;
        Self { process, server, abide, settings: settings.to_vec(), _data: data }
    }

    /// Runs a command of psql, as `psql -c` does, and returns what it says on either stream.
    pub(crate) fn psql(&self, command: &str) -> String {
        said(&psql(self.abide.sql).args(["-c", command]).output().unwrap())
    }

    /// The same for lines that are typed one after the other.
    pub(crate) fn typed(&self, lines: &[&str]) -> String {
        let mut command = psql(self.abide.sql);
        lines.iter().for_each(|line| _ = command.args(["-c", line]));
        said(&command.output().unwrap())
    }

    /// The same, as rows of fields without decoration.
    pub(crate) fn rows(&self, command: &str) -> Vec<Vec<String>> {
        let out = psql(self.abide.sql).args(["-A", "-t", "-c", command]).output().unwrap();
        assert!(out.status.success(), "{command}: {}", said(&out));
        let text = String::from_utf8(out.stdout).unwrap();
        text.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
    }

    /// A single value.
    pub(crate) fn value(&self, command: &str) -> String {
        self.rows(command).concat().concat()
    }
}

/// `psql` without the user's own settings.
pub(crate) fn psql(address: SocketAddr) -> Command {
    let mut command = Command::new("psql");
    command.args(["-X", "-h", "localhost", "-p", &address.port().to_string()]);
    command.env("PGCONNECT_TIMEOUT", "10");
    command
}

/// Everything that a program has printed.
pub(crate) fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    format!("{out}{err}")
}
