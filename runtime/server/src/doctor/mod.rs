//! `abide doctor`: looks at everything that a node depends on, and says what is wrong and what to do
//! about it. It changes nothing, so it may run next to a server.
//!
//! Reading order: this file (what is looked at), [`settings`], [`data`] (the data directory), [`disk`],
//! [`machine`] (limits, clocks, ports); what the server says of itself is asked by `cli`.

mod data;
mod disk;
mod machine;
mod settings;

use std::path::PathBuf;
use std::process::ExitCode;

use cli::doctor::{Asked, Finding, of_server, report};

use crate::{args::Serve, config::Config};

/// The flags of `abide doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {
    /// TOML file with the settings of the server.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Data directory of the server [default: as abide serve].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    #[command(flatten)]
    asked: Asked,
}

pub(crate) fn run(flags: &Doctor) -> ExitCode {
    let serve = Serve {
        config: flags.config.clone(),
        data_dir: flags.data_dir.clone(),
        ..Serve::default()
    };
    let (mut findings, config) = settings::look(&serve);
    let mut is_running = false;
    if let Some(config) = &config {
        let (of_data, found) = data::look(&config.data_dir, flags.data_dir.is_some());
        is_running = found.is_running;
        findings.extend(of_data);
        findings.extend(disk::look(&config.data_dir));
        findings.extend(machine::limits(config, found.partitions));
        if !is_running {
            findings.extend(ports(config));
        }
    }
    findings.push(machine::clocks());
    findings.extend(ask(&flags.asked, is_running));
    report(&flags.asked, findings)
}

fn ports(config: &Config) -> Vec<Finding> {
    let sql = config.sql.address.as_ref();
    let addresses = [
        ("ingress", Some(&config.ingress_address)),
        ("admin", Some(&config.admin_address)),
        ("SQL", sql),
    ];
    let addresses = addresses.into_iter().filter_map(|(what, address)| Some((what, address?)));
    addresses.map(|(what, address)| machine::port(what, address)).collect()
}

fn ask(asked: &Asked, is_running: bool) -> Vec<Finding> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(of_server(asked, is_running)),
        Err(error) => {
            let found = format!("it cannot be asked: {error}");
            vec![Finding::problem("server", found, "raise the limits of this process")]
        }
    }
}
